"""The host lab: the machine's own kernel, in real time. The way in is `lab.HostLab`."""
