"""How near an artifact's golden images must be to its student's, in dB of PSNR: the floors of the export."""

GOLDEN_FLOOR = 30.0
"""The apps' own, on the first golden image as bytes; below it they refuse a model, so that no file may be."""

FP32_FLOOR = 100.0

# Half precision keeps eleven bits, and a student hands on what early layers lose: digits are 72 dB from their
# float32 as values, animals 60. A picture is bytes: 6 % of them at the other level are 60 dB already.
FP16_FLOOR = 55.0

# The student rounds biases and the ties of resizes as XNNPACK does, and adds floats where XNNPACK adds integers:
# here and there a value falls on the next level. That files hold the student's numbers is proven apart from it.
INT8_FLOOR = 33.0

# Between two grids an fp16 package computes in fp16, which moves values near the middle of two levels to the
# other one; what is exact is its fp32 twin, and its weights and grids.
INT8_FP16_FLOOR = 30.0

PALETTE_FLOOR = 30.0
EXACT = float("inf")
