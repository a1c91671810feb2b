/// Return code of a CCI response (u16, little-endian, bytes 8-9 of the CCI header).
///
/// Source: CXL r3.1 §8.2.8.4.5.1 Table 8-34; the numbers agree with QEMU `include/hw/cxl/cxl_device.h` and libcxlmi.
public enum ReturnCode: UInt16, Error, Sendable, CaseIterable {
    case success = 0x00
    case backgroundCommandStarted = 0x01
    case invalidInput = 0x02
    case unsupported = 0x03
    case internalError = 0x04
    case retryRequired = 0x05
    case busy = 0x06
    case mediaDisabled = 0x07
    case firmwareTransferInProgress = 0x08
    case firmwareTransferOutOfOrder = 0x09
    case firmwareVerificationFailed = 0x0A
    case invalidSlot = 0x0B
    case activationFailedRolledBack = 0x0C
    case activationFailedColdResetRequired = 0x0D
    case invalidHandle = 0x0E
    case invalidPhysicalAddress = 0x0F
    case injectPoisonLimitReached = 0x10
    case permanentMediaFailure = 0x11
    case aborted = 0x12
    case invalidSecurityState = 0x13
    case incorrectPassphrase = 0x14
    case unsupportedMailboxOrCCI = 0x15
    case invalidPayloadLength = 0x16
    case invalidLog = 0x17
    case interrupted = 0x18
    case unsupportedFeatureVersion = 0x19
    case unsupportedFeatureSelectionValue = 0x1A
    case featureTransferInProgress = 0x1B
    case featureTransferOutOfOrder = 0x1C
    case resourcesExhausted = 0x1D
    case invalidExtentList = 0x1E
    case transferOutOfOrder = 0x1F
    case requestAbortNotSupported = 0x20

    /// The code's name as the specification writes it, for example `Invalid Extent List`.
    public var name: String {
        switch self {
        case .success: "Success"
        case .backgroundCommandStarted: "Background Command Started"
        case .invalidInput: "Invalid Input"
        case .unsupported: "Unsupported"
        case .internalError: "Internal Error"
        case .retryRequired: "Retry Required"
        case .busy: "Busy"
        case .mediaDisabled: "Media Disabled"
        case .firmwareTransferInProgress: "FW Transfer in Progress"
        case .firmwareTransferOutOfOrder: "FW Transfer Out of Order"
        case .firmwareVerificationFailed: "FW Verification Failed"
        case .invalidSlot: "Invalid Slot"
        case .activationFailedRolledBack: "Activation Failed, FW Rolled Back"
        case .activationFailedColdResetRequired: "Activation Failed, Cold Reset Required"
        case .invalidHandle: "Invalid Handle"
        case .invalidPhysicalAddress: "Invalid Physical Address"
        case .injectPoisonLimitReached: "Inject Poison Limit Reached"
        case .permanentMediaFailure: "Permanent Media Failure"
        case .aborted: "Aborted"
        case .invalidSecurityState: "Invalid Security State"
        case .incorrectPassphrase: "Incorrect Passphrase"
        case .unsupportedMailboxOrCCI: "Unsupported Mailbox or CCI"
        case .invalidPayloadLength: "Invalid Payload Length"
        case .invalidLog: "Invalid Log"
        case .interrupted: "Interrupted"
        case .unsupportedFeatureVersion: "Unsupported Feature Version"
        case .unsupportedFeatureSelectionValue: "Unsupported Feature Selection Value"
        case .featureTransferInProgress: "Feature Transfer in Progress"
        case .featureTransferOutOfOrder: "Feature Transfer Out of Order"
        case .resourcesExhausted: "Resources Exhausted"
        case .invalidExtentList: "Invalid Extent List"
        case .transferOutOfOrder: "Transfer Out of Order"
        case .requestAbortNotSupported: "Request Abort Background Operation Not Supported"
        }
    }
}
