import CXLWire

extension ReturnCode {
    /// What the code says about a request, for a refusal that has no reason. Codes that this service never sends are explained all the
    /// same: the tool can be pointed at another device.
    var sentence: String {
        switch self {
        case .success: "the command was executed"
        case .backgroundCommandStarted: "the command was started and goes on in the background"
        case .invalidInput: "a field of the request has a value that the device does not take"
        case .unsupported: "the device does not serve this command on this link"
        case .internalError: "the device failed by no fault of the request"
        case .retryRequired: "the device cannot do it at the moment"
        case .busy: "the device is busy with another command"
        case .mediaDisabled: "the device's memory is disabled"
        case .firmwareTransferInProgress: "a firmware transfer is under way"
        case .firmwareTransferOutOfOrder: "a part of the firmware came out of order"
        case .firmwareVerificationFailed: "the firmware is not what its signature says"
        case .invalidSlot: "the device has no such firmware slot"
        case .activationFailedRolledBack: "the new firmware did not start; the old one runs again"
        case .activationFailedColdResetRequired: "the new firmware did not start; the device needs a cold reset"
        case .invalidHandle: "nothing has this handle"
        case .invalidPhysicalAddress: "the address is not in the device's memory"
        case .injectPoisonLimitReached: "no more poison can be injected"
        case .permanentMediaFailure: "the device's memory is broken"
        case .aborted: "the command was aborted"
        case .invalidSecurityState: "the device's security state does not allow it"
        case .incorrectPassphrase: "the passphrase is wrong"
        case .unsupportedMailboxOrCCI: "the device serves the command, but not on this mailbox or CCI"
        case .invalidPayloadLength: "the request's payload has a length that the command does not have"
        case .invalidLog: "the device has no such log"
        case .interrupted: "the command was interrupted"
        case .unsupportedFeatureVersion: "the device does not have this version of the feature"
        case .unsupportedFeatureSelectionValue: "the device does not have this value of the feature"
        case .featureTransferInProgress: "a transfer of the feature is under way"
        case .featureTransferOutOfOrder: "a part of the feature came out of order"
        case .resourcesExhausted: "the device has not enough left of what the request needs"
        case .invalidExtentList: "the list of extents is not one that the device takes"
        case .transferOutOfOrder: "a part of a transfer came out of order"
        case .requestAbortNotSupported: "the command in the background cannot be aborted"
        }
    }

    /// What to do next; nil where the sentence says it, or nothing helps.
    var advice: String? {
        switch self {
        case .retryRequired, .busy, .interrupted: "try again in a moment"
        case .unsupported, .unsupportedMailboxOrCCI: "fmapid-protocol(7) lists the commands of each link"
        case .internalError, .permanentMediaFailure, .mediaDisabled: "the device's own log says more: journalctl -u fmapid"
        case .firmwareTransferInProgress, .featureTransferInProgress: "wait for its end"
        case .invalidPayloadLength: "fmapid-protocol(7) and CXL r3.1 have the layouts"
        default: nil
        }
    }
}
