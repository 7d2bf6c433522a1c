module interop/control

go 1.24.6
