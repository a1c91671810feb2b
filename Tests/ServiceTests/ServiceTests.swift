// Tests of Service.
