"""docs/tutorial-forecast.md by hand: a table in, a CSV of forecasts out, with pandas and Keras.

python -m benchmarks.flights_by_hand FLIGHTS.CSV FORECASTS.CSV [EPOCHS]
"""

import sys

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from sklearn.preprocessing import StandardScaler

HISTORY, HORIZON, WEEK = 56, 7, 7
LEVELS = np.array([0.1, 0.25, 0.5, 0.75, 0.9], "float32")
source, goal, *epochs = sys.argv[1:]

# Days without flights have no rows: put them in.
raw = pd.read_csv(source, parse_dates=["date"])
series = {}
for carrier, rows in raw.groupby("carrier", sort=False):
    days = rows.set_index("date")["flights"].asfreq("D").ffill().to_frame()
    series[carrier] = days
first, last = raw["date"].min(), raw["date"].max()
cut = first + pd.Timedelta(days=int((last - first).days * 0.7 + 1e-9))
test_cut = first + pd.Timedelta(days=int((last - first).days * 0.9 + 1e-9))


def calendar(days: pd.DatetimeIndex) -> np.ndarray:
    """Return sine and cosine of the weekday, (days, 2)."""
    angle = 2 * np.pi * days.day_of_week / 7
    return np.stack([np.sin(angle), np.cos(angle)], axis=1).astype("float32")


# Windows of each series, by the part that has all their targets.
parts = {"train": [], "validation": [], "test": []}
fitted_on = {}
for carrier, days in series.items():
    values, known = days["flights"].to_numpy("float32")[:, None], calendar(days.index)
    for at in range(HISTORY, len(days) - HORIZON + 1):
        begin, end = days.index[at], days.index[at + HORIZON - 1]
        if end <= cut:
            part = "train"
            fitted_on[carrier] = days["flights"].iloc[: at + HORIZON]
        elif cut < begin and end <= test_cut:
            part = "validation"
        elif begin > test_cut:
            part = "test"
        else:
            continue
        past, ahead = slice(at - HISTORY, at), slice(at, at + HORIZON)
        parts[part].append((values[past], known[past], known[ahead], values[ahead]))
data = {part: [np.stack(each) for each in zip(*rows, strict=True)] for part, rows in parts.items()}
scaler = StandardScaler().fit(np.concatenate(list(fitted_on.values()))[:, None])


def scaled(values: np.ndarray) -> np.ndarray:
    """Return values as the model sees them."""
    flat = scaler.transform(values.reshape(-1, 1)).reshape(values.shape)
    return flat.astype("float32")


def pinball(wanted: object, quantiles: object) -> object:
    """Return the loss of the quantiles of each step."""
    gap = wanted - quantiles
    return ops.mean(ops.maximum(LEVELS * gap, (LEVELS - 1) * gap), axis=-1)


# The change from the mean of the last week.
keras.utils.set_random_seed(7)
past, context = keras.Input((HISTORY, 1)), keras.Input((HISTORY, 2))
known = keras.Input((HORIZON, 2))
level = ops.mean(past[:, -WEEK:], axis=1, keepdims=True)
ago = ops.transpose(ops.reshape(past, (-1, HISTORY // WEEK, WEEK)), (0, 2, 1))
before = ago - level
_, *state = layers.LSTM(32, return_state=True)(ops.concatenate([past - level, context], axis=-1))
steps = layers.LSTM(32, return_sequences=True)(
    ops.concatenate([known, before], axis=-1), initial_state=state
)
change = layers.Dense(5)(ops.concatenate([steps, before], axis=-1))
model = keras.Model([past, context, known], ops.sort(level + change, axis=-1))
model.compile(keras.optimizers.Adam(1e-3), pinball)
inputs = {part: [scaled(rows[0]), *rows[1:3]] for part, rows in data.items()}
targets = {part: scaled(rows[3]) for part, rows in data.items()}
model.fit(
    inputs["train"],
    targets["train"],
    batch_size=64,
    epochs=int(epochs[0]) if epochs else 50,
    validation_data=(inputs["validation"], targets["validation"]),
    callbacks=[keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)],
    verbose=0,
)


def forecast(inputs: list[np.ndarray]) -> np.ndarray:
    """Return forecasts in flights, the medians, (windows, 7, 1)."""
    found = model.predict(inputs, batch_size=512, verbose=0)[..., 2:3]
    return scaler.inverse_transform(found.reshape(-1, 1)).reshape(found.shape)


# The error on the test part, and the week after the last day of each carrier.
error = np.abs(forecast(inputs["test"]) - data["test"][3]).mean()
naive = np.abs(data["test"][0][:, -WEEK:] - data["test"][3]).mean()
tables = []
for carrier, days in series.items():
    recent = days.iloc[-HISTORY:]
    ahead = pd.date_range(days.index[-1], periods=HORIZON + 1)[1:]
    if len(recent) == HISTORY:
        values = scaled(recent["flights"].to_numpy()[None, :, None])
        found = forecast([values, calendar(recent.index)[None], calendar(ahead)[None]])
        tables.append(pd.DataFrame({"carrier": carrier, "date": ahead, "flights": found[0, :, 0]}))
pd.concat(tables).to_csv(goal, index=False)
print(scaler.mean_[0], scaler.scale_[0], error, naive, sum(map(len, parts.values())))
