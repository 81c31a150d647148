"""Time `lstmgraph.audit` beside reading the model: python -m benchmarks.audit

Prints seconds for a model of 400 layers, as JSON of Keras: reading, shapes, and the audit itself.
"""

from __future__ import annotations

import json
import statistics
import time

LAYERS = 400
ROUNDS = 5


def config() -> str:
    """Return a stack of masked LSTM layers with residual connections, as ``model.to_json()``."""
    import keras

    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(100, 4, mask_zero=True)(ids)
    for number in range((LAYERS - 4) // 4):
        y = keras.layers.LSTM(4, return_sequences=True)(x * 1.0 if number % 10 == 9 else x)
        y = keras.layers.Dropout(0.1)(y)
        x = keras.layers.LayerNormalization()(keras.layers.Add()([x, y]))
    model = keras.Model(ids, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(x)))
    assert len(model.layers) >= LAYERS
    return str(model.to_json())


def main() -> None:
    """Print the medians."""
    from lstmgraph.interop.auditing import audit
    from lstmgraph.interop.reading import read_model
    from lstmgraph.interop.shapes import with_shapes

    text = config()
    read, shaped, audited = [], [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        model = read_model(text)
        read.append(time.perf_counter() - began)
        began = time.perf_counter()
        with_shapes(model)
        shaped.append(time.perf_counter() - began)
        began = time.perf_counter()
        found = audit(text)
        audited.append(time.perf_counter() - began)
    print(
        json.dumps(
            {
                "layers": LAYERS,
                "read_s": round(statistics.median(read), 3),
                "shapes_s": round(statistics.median(shaped), 3),
                "audit_s": round(statistics.median(audited), 3),
                "findings": len(found.findings),
            }
        )
    )


if __name__ == "__main__":
    main()
