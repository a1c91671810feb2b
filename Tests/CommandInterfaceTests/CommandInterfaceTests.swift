// Tests of CommandInterface.
