"""Instructions, arena and flash of networks on emulated microcontrollers."""
