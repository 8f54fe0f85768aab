j
locationx.binp