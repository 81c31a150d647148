"""What each class of Keras is for, in one sentence of our own; `catalogue_texts.py` says how.

Names are those of the classes, and the sentences stand after them, one class to a line.
"""


def table(text: str) -> dict[str, str]:
    """Read lines of a name and a sentence."""
    lines = text.strip().splitlines()
    return {name: sentence for name, _, sentence in (line.strip().partition(" ") for line in lines)}


LAYERS = table("""
    Activation Passes every value through an activation function.
    ActivityRegularization Adds a penalty on its input to the loss, and gives the input as it is.
    AdaptiveAveragePooling1D Averages a sequence to a given number of steps.
    AdaptiveAveragePooling2D Averages pictures to a given size.
    AdaptiveAveragePooling3D Averages volumes to a given size.
    AdaptiveMaxPooling1D Keeps the largest values of a sequence, to a given number of steps.
    AdaptiveMaxPooling2D Keeps the largest values of pictures, to a given size.
    AdaptiveMaxPooling3D Keeps the largest values of volumes, to a given size.
    Add Adds its inputs, value by value.
    AdditiveAttention Attention in Bahdanau's form: scores from a tanh of query plus key.
    AlphaDropout Dropout that keeps mean and variance, for layers with SELU.
    Attention Attention in Luong's form: scores are products of query and key.
    Average Averages its inputs, value by value.
    AveragePooling1D Averages windows of a sequence.
    AveragePooling2D Averages windows of pictures.
    AveragePooling3D Averages windows of volumes.
    BatchNormalization Brings each feature to mean 0 and variance 1 over the batch.
    CategoryEncoding Writes ids of categories as vectors of ones or of counts.
    CenterCrop Cuts the middle out of pictures.
    Concatenate Joins its inputs along an axis.
    Conv1D Slides learned filters along a sequence.
    Conv1DTranspose A convolution the other way round: makes a sequence longer.
    Conv2D Slides learned filters over pictures.
    Conv2DTranspose A convolution the other way round: makes pictures larger.
    Conv3D Slides learned filters through volumes.
    Conv3DTranspose A convolution the other way round: makes volumes larger.
    ConvLSTM1D An LSTM whose products are convolutions along one dimension.
    ConvLSTM2D An LSTM whose products are convolutions: for films, frame by frame.
    ConvLSTM3D An LSTM whose products are convolutions through volumes.
    Cropping1D Cuts steps off both ends of a sequence.
    Cropping2D Cuts rows and columns off pictures.
    Cropping3D Cuts slices off volumes.
    Dense Every output is a weighted sum of all features, and a bias.
    DepthwiseConv1D Slides filters along a sequence, each over one channel.
    DepthwiseConv2D Slides filters over pictures, each over one channel.
    Discretization Writes numbers as the bins that they lie in.
    Dot Multiplies two inputs and sums over an axis of each.
    Dropout Sets a share of the values to 0 in training, and scales the others.
    ELU Keeps values above 0, and bends those below to a limit.
    EinsumDense A dense layer over any axes, given as an einsum equation.
    Embedding Gives each id a learned vector.
    Flatten Joins all dimensions but the batch into one.
    GRU A gated recurrent unit: an LSTM's idea with one state and fewer weights.
    GaussianDropout Multiplies with random numbers around 1 in training.
    GaussianNoise Adds random numbers around 0 in training.
    GlobalAveragePooling1D Averages all steps that are not masked.
    GlobalAveragePooling2D Averages each channel of a picture.
    GlobalAveragePooling3D Averages each channel of a volume.
    GlobalMaxPooling1D Keeps the largest value of each feature over all steps.
    GlobalMaxPooling2D Keeps the largest value of each channel of a picture.
    GlobalMaxPooling3D Keeps the largest value of each channel of a volume.
    GroupNormalization Brings groups of channels to mean 0 and variance 1 in each example.
    GroupQueryAttention Attention with several heads in which queries share keys and values.
    Hashing Writes texts or ids as the numbers of bins, without a vocabulary.
    Identity Gives its input as it is.
    IntegerLookup Writes whole numbers as their places in a vocabulary.
    LSTM Long short-term memory: a recurrent layer with the states h and c.
    LayerNormalization Brings the features of each step to mean 0 and variance 1.
    LeakyReLU Keeps values above 0, and a small share of those below.
    Masking Masks steps whose features all have one value.
    MaxPooling1D Keeps the largest values of windows of a sequence.
    MaxPooling2D Keeps the largest values of windows of pictures.
    MaxPooling3D Keeps the largest values of windows of volumes.
    Maximum Keeps the largest of its inputs, value by value.
    MelSpectrogram Turns sound into powers of mel bands over time.
    Minimum Keeps the smallest of its inputs, value by value.
    MultiHeadAttention Several heads that each attend with projections of their own.
    Multiply Multiplies its inputs, value by value.
    Normalization Subtracts a given mean and divides by the root of a given variance.
    PReLU Keeps values above 0, and a learned share of those below.
    Permute Changes the order of the dimensions.
    RMSNormalization Divides the features of each step by their root mean square.
    ReLU Keeps values above 0, and gives 0 for the others.
    RepeatVector Repeats a vector as the steps of a sequence.
    Rescaling Multiplies with a number and adds another.
    Reshape Gives the values another shape.
    Resizing Makes pictures larger or smaller.
    ReversibleEmbedding An embedding that a call with `reverse` turns back to a number for each id.
    SeparableConv1D A convolution in two steps: each channel by itself, then all at each place.
    SeparableConv2D A convolution in two steps: each channel by itself, then all at each pixel.
    SimpleRNN A recurrent layer whose output is its next state.
    Softmax Turns scores into shares that sum to 1.
    SpatialDropout1D Drops whole features of a sequence in training.
    SpatialDropout2D Drops whole channels of pictures in training.
    SpatialDropout3D Drops whole channels of volumes in training.
    SpectralNormalization Divides the kernel of the layer inside by its largest singular value.
    StringLookup Writes texts as their places in a vocabulary.
    Subtract Subtracts the second input from the first.
    TextVectorization Splits texts into words or characters and writes their ids.
    TimeDistributed Applies the layer inside to every step.
    UnitNormalization Scales vectors to length 1.
    UpSampling1D Repeats every step of a sequence.
    UpSampling2D Makes pictures larger by repeating or blending pixels.
    UpSampling3D Makes volumes larger by repeating values.
    ZeroPadding1D Puts zeros before and after a sequence.
    ZeroPadding2D Puts zeros around pictures.
    ZeroPadding3D Puts zeros around volumes.
""")

OBJECTS = {
    "initializer": table("""
        Constant Every entry has one value.
        GlorotNormal Normal, with a variance from the sizes of input and output (Xavier).
        GlorotUniform Uniform, with a variance from the sizes of input and output (Xavier).
        HeNormal Normal, with a variance from the size of the input; for ReLU.
        HeUniform Uniform, with a variance from the size of the input; for ReLU.
        Identity The identity matrix, times a gain.
        LecunNormal Normal, with a variance from the size of the input; for SELU.
        LecunUniform Uniform, with a variance from the size of the input; for SELU.
        Ones Every entry is 1.
        Orthogonal A random orthogonal matrix.
        RandomNormal Normal, with a given mean and deviation.
        RandomUniform Uniform between two bounds.
        TruncatedNormal Normal, drawn again beyond two deviations.
        VarianceScaling Random, with a variance from the sizes of the weight.
        Zeros Every entry is 0.
    """),
    "regularizer": table("""
        L1 A penalty on absolute values, which makes many of them 0.
        L1L2 A penalty on absolute values and on squares.
        L2 A penalty on squares, which keeps all of them small.
        OrthogonalRegularizer A penalty on rows or columns that are not orthogonal.
    """),
    "constraint": table("""
        MaxNorm Keeps lengths below a bound.
        MinMaxNorm Keeps lengths between two bounds.
        NonNeg Keeps every entry at 0 or above.
        UnitNorm Keeps lengths at 1.
    """),
    "learning_rate_schedule": table("""
        CosineDecay The rate falls along a cosine, after a warm-up where one is given.
        CosineDecayRestarts The rate falls along a cosine again and again.
        ExponentialDecay The rate is multiplied with a factor in each period.
        InverseTimeDecay The rate is divided by a number that grows with the steps.
        PiecewiseConstantDecay The rate is one of several values, by the step.
        PolynomialDecay The rate falls along a polynomial to its end.
    """),
    "optimizer": table("""
        Adadelta Steps from running means of gradients and of updates.
        Adafactor Adam with little memory: means of squares by rows and columns.
        Adagrad Smaller steps for weights whose gradients have been large.
        Adam Steps from running means of gradients and of their squares.
        AdamW Adam with weight decay apart from the gradients.
        Adamax Adam with the largest gradient in place of the mean of squares.
        Ftrl Follow the regularised leader, for sparse linear models.
        Lion Steps by the sign of a running mean of gradients.
        Muon Orthogonalised momentum for matrices, and Adam for other weights.
        Nadam Adam with Nesterov's momentum.
        RMSprop Divides gradients by a running mean of their size.
        SGD Gradient descent, with momentum where it is given.
        ScheduleFreeAdamW AdamW that needs no schedule of learning rates.
    """),
    "loss": table("""
        BinaryCrossentropy Crossentropy of yes-or-no targets.
        BinaryFocalCrossentropy Crossentropy of yes-or-no targets in which easy ones count less.
        CTC Connectionist temporal classification: targets without alignment in time.
        CategoricalCrossentropy Crossentropy of one-hot targets.
        CategoricalFocalCrossentropy Crossentropy of one-hot targets in which easy ones count less.
        CategoricalHinge Hinge loss of one-hot targets.
        Circle Brings embeddings of one class together and those of others apart.
        CosineSimilarity The cosine between target and prediction, with a minus sign.
        Dice One minus twice the overlap over the sum.
        Hinge Hinge loss of targets -1 and 1.
        Huber Squares of small errors, and a straight line for large ones.
        KLDivergence How much a predicted distribution differs from the target.
        LogCosh The logarithm of the hyperbolic cosine of the error: a smooth absolute error.
        MeanAbsoluteError The mean of absolute errors.
        MeanAbsolutePercentageError The mean of absolute errors, in per cent of the target.
        MeanSquaredError The mean of squared errors.
        MeanSquaredLogarithmicError The mean of squared differences of logarithms.
        NegativeLogLikelihood How unlikely targets are under a distribution that the output gives.
        Pinball The error of quantiles: too low and too high weigh as the quantile says.
        Poisson The Poisson loss, for counts.
        SparseCategoricalCrossentropy Crossentropy of targets that are ids of classes.
        SquaredHinge The square of the hinge loss.
        Tversky Dice with weights for false positives and false negatives.
    """),
    "metric": table("""
        AUC The area under a curve over thresholds.
        Accuracy How often predictions equal targets.
        BinaryAccuracy How often yes-or-no predictions are right.
        BinaryCrossentropy Crossentropy of yes-or-no targets.
        BinaryIoU Overlap over union of yes-or-no predictions.
        CRPS The distance from a forecast distribution to the target, in its unit.
        CategoricalAccuracy How often the likeliest class is the one-hot target.
        CategoricalCrossentropy Crossentropy of one-hot targets.
        CategoricalHinge Hinge loss of one-hot targets.
        ConcordanceCorrelation How close predictions lie to the line of equality.
        CosineSimilarity The cosine between target and prediction.
        Coverage The share of targets inside an interval of the forecast.
        F1Score The harmonic mean of precision and recall.
        FBetaScore The weighted harmonic mean of precision and recall.
        FalseNegatives How many positives are missed.
        FalsePositives How many negatives are taken for positives.
        Hinge Hinge loss of targets -1 and 1.
        IoU Overlap over union of given classes.
        KLDivergence How much a predicted distribution differs from the target.
        LogCoshError The logarithm of the hyperbolic cosine of the error.
        MeanAbsoluteScaledError The mean of absolute errors over that of a naive forecast.
        SymmetricMeanAbsolutePercentageError The mean of errors in per cent of target and forecast.
        WeightedQuantileLoss The error of quantiles over the sum of absolute targets.
        MeanAbsoluteError The mean of absolute errors.
        MeanAbsolutePercentageError The mean of absolute errors, in per cent of the target.
        MeanIoU Overlap over union, averaged over all classes.
        MeanSquaredError The mean of squared errors.
        MeanSquaredLogarithmicError The mean of squared differences of logarithms.
        OneHotIoU Overlap over union of given classes, with one-hot targets.
        OneHotMeanIoU Overlap over union, averaged over all classes, with one-hot targets.
        PearsonCorrelation The linear correlation of targets and predictions.
        Poisson The Poisson loss, for counts.
        Precision The share of predicted positives that are right.
        PrecisionAtRecall The best precision at a given recall.
        R2Score The share of the variance that is explained.
        Recall The share of positives that are found.
        RecallAtPrecision The best recall at a given precision.
        RootMeanSquaredError The root of the mean of squared errors.
        SensitivityAtSpecificity The best sensitivity at a given specificity.
        SparseCategoricalAccuracy How often the likeliest class is the target's id.
        SparseCategoricalCrossentropy Crossentropy of targets that are ids of classes.
        SparseTopKCategoricalAccuracy How often the target's id is among the k likeliest classes.
        SpecificityAtSensitivity The best specificity at a given sensitivity.
        SquaredHinge The square of the hinge loss.
        TopKCategoricalAccuracy How often the one-hot target is among the k likeliest classes.
        TrueNegatives How many negatives are found.
        TruePositives How many positives are found.
    """),
}
