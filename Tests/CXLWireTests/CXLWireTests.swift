// Tests of CXLWire.
