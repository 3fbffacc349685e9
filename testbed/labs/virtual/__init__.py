"""The virtual lab: guest kernels whose clock is emulated. The way in is `lab.VirtualLab`."""
