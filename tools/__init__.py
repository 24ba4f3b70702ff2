"""Commands for developers: training, benchmarks, screenshots."""
