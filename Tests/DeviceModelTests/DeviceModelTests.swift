// Tests of DeviceModel.
