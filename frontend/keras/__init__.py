"""Keras files and live objects, of Keras 3, tf-keras 2 and QKeras: read as data, without any framework."""
