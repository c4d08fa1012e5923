"""The search for a design: strategies, reuse factors and formats against accuracy, time and resources."""
