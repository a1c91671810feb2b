import CXLWire
import DeviceModel

// Names that several imported modules have; here they mean these.
typealias Tag = CXLWire.Tag
typealias EventLog = DeviceModel.EventLog
