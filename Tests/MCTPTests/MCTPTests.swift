// Tests of MCTP.
