import CXLWire

@testable import DeviceModel

/// A command of the random walk, with everything that it says.
enum WalkCommand {
    case addFree(host: Int, region: Int, length: UInt64, tag: Tag, contiguous: Bool)
    case addList(host: Int, [Extent])
    case share(host: Int, region: Int, tag: Tag)
    case askByTag(host: Int, tag: Tag, length: UInt64, ReleaseOptions)
    case askByList(host: Int, [Extent], ReleaseOptions)
    case answer(host: Int, [DPARange])
    case release(host: Int, [DPARange])
    case setReference(Tag, Bool)
    case setRegion(Int, blockSize: UInt64, sanitizes: Bool)
    case clear(log: Int, [UInt16])
    case clearAll(log: Int)
    case createBackend(Tag, size: UInt64)
    case removeBackend(Tag)
    case quarantine(UInt32)

    /// Executes the command; the answer's code.
    func run(on device: inout Device) -> ReturnCode {
        do throws(Refusal) {
            try execute(on: &device)
            return .success
        } catch {
            return error.code
        }
    }

    private func execute(on device: inout Device) throws(Refusal) {
        // Of the logs, the last is the FM's.
        func owner(_ log: Int) -> Int? { log == device.configuration.hosts ? nil : log }
        switch self {
        case .addFree(let host, let region, let length, let tag, let contiguous):
            try device.add(host: host, region: region, length: length, tag: tag, contiguous: contiguous)
        case .addList(let host, let list):
            try device.add(host: host, extents: list)
        case .share(let host, let region, let tag):
            try device.addSharedAccess(host: host, region: region, tag: tag)
        case .askByTag(let host, let tag, let length, let options):
            try device.requestRelease(host: host, tag: tag, length: length, options: options)
        case .askByList(let host, let list, let options):
            try device.requestRelease(host: host, extents: list, options: options)
        case .answer(let host, let list):
            try device.answerOffer(host: host, accepted: list)
        case .release(let host, let list):
            try device.release(host: host, ranges: list)
        case .setReference(let tag, let isReferenced):
            _ = isReferenced ? try device.addReference(tag: tag) : try device.removeReference(tag: tag)
        case .setRegion(let region, let blockSize, let sanitizes):
            _ = try device.setRegion(region, blockSize: blockSize, sanitizeOnRelease: sanitizes)
        case .clear(let log, let handles):
            try device.clearEvents(of: owner(log), handles: handles)
        case .clearAll(let log):
            try device.clearAllEvents(of: owner(log))
        case .createBackend(let tag, let size):
            try device.checkNewBackend(tag: tag, size: size)
            device.addBackend(
                Backend(id: device.nextBackend, tag: tag, size: size, kind: 0, hugePages: false, path: ""))
        case .removeBackend(let tag):
            try device.removeBackend(tag: tag)
        case .quarantine(let id):
            device.noteZeroed(backend: id, succeeded: false)
        }
    }

    /// Executes the command on the reference; `choice` is what the device picked, where it may pick and did not refuse.
    func run(on model: inout ReferenceModel, choice: Set<Int>?) -> ReturnCode {
        switch self {
        case .addFree(let host, let region, let length, let tag, let contiguous):
            return model.add(host: host, region: region, length: length, tag: tag, contiguous: contiguous)
        case .addList(let host, let list):
            return model.add(host: host, extents: list)
        case .share(let host, let region, let tag):
            return model.addSharedAccess(host: host, region: region, tag: tag)
        case .askByTag(let host, let tag, let length, let options):
            return model.requestRelease(host: host, tag: tag, length: length, options: options, choice: choice)
        case .askByList(let host, let list, let options):
            return model.requestRelease(host: host, extents: list, options: options)
        case .answer(let host, let list):
            return model.answerOffer(host: host, accepted: list)
        case .release(let host, let list):
            return model.release(host: host, ranges: list)
        case .setReference(let tag, let isReferenced):
            return model.setReference(tag, isReferenced)
        case .setRegion(let region, let blockSize, let sanitizes):
            return model.setRegion(region, blockSize: blockSize, sanitizes: sanitizes)
        case .clear(let log, let handles):
            return model.clear(log, handles: handles)
        case .clearAll(let log):
            return model.clearAll(log)
        case .createBackend(let tag, let size):
            return model.addBackend(tag, size: size)
        case .removeBackend(let tag):
            return model.removeBackend(tag)
        case .quarantine(let id):
            for tag in model.backends.keys where model.backends[tag]?.id == id { model.backends[tag]?.isQuarantined = true }
            return .success
        }
    }
}
