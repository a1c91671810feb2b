import CXLWire
import ControlClient
import Glibc

/// The steps of the demo: a fabric manager, a host and a control client, each on its own link.
struct DemoPlay: ~Copyable {
    var stage: DemoStage
    private let service: TemporaryService
    private let recorders: [LinkTarget: WireRecorder]
    private var fm: Link
    private var control: Link
    private var host: Link
    /// For maps, whose requests are not shown.
    private var viewer: Link

    private static let tag = Tag(0x5be1_3bce_ae34_4a77_b6c3_16df_975f_cf1a)
    private static let size: UInt64 = 1 << 30
    private static let address: UInt64 = 0x1000
    private static let text = "hello from host 0"

    init(_ service: TemporaryService, _ stage: DemoStage) throws(ClientError) {
        let recorders: [LinkTarget: WireRecorder] = [.fm: .init(), .control: .init(), .host(0): .init()]
        func connect(_ target: LinkTarget, isShown: Bool = true) throws(ClientError) -> Link {
            var settings = Link.Settings()
            if isShown { settings.tap = recorders[target]?.tap }
            return try service.connect(target, settings)
        }
        // All are there before the first is kept.
        let fm = try connect(.fm)
        let control = try connect(.control)
        let host = try connect(.host(0))
        let viewer = try connect(.fm, isShown: false)
        self.service = service
        self.stage = stage
        self.recorders = recorders
        self.fm = fm
        self.control = control
        self.host = host
        self.viewer = viewer
    }

    private func show(_ target: LinkTarget, showsAnswer: Bool = false) {
        guard let recorder = recorders[target] else { return }
        let (name, framing): (String, Framing) =
            switch target {
            case .fm: ("FM", fm.framing)
            case .control: ("admin", control.framing)
            case .host: ("host", host.framing)
            }
        stage.exchange(name, recorder, framing, showsAnswer: showsAnswer)
    }

    mutating func perform() throws(ClientError) {
        try emptyDevice()
        try backendAppears()
        try wrongSize()
        try offer()
        try accept()
        try mapAndWrite()
        try readElsewhere()
        try askBack()
        try released()
    }

    private mutating func emptyDevice() throws(ClientError) {
        try stage.step("A device without memory")
        stage.say(
            """
            fmapid is a CXL Dynamic Capacity Device that is reached over sockets. This one has addresses for 4 GiB and two hosts, but \
            no memory behind them yet: it is lazy.
            """)
        stage.command("fmapid --lazy 4GiB --hosts 2 --listen fm=fm,serial,unix:fm.sock ...")
        stage.say("A fabric manager (FM) connects and asks what it has before it. These are all bytes that pass:")
        _ = try fm.deviceInfo()
        show(.fm, showsAnswer: true)
        try stage.map(&viewer)
    }

    private mutating func backendAppears() throws(ClientError) {
        try stage.step("Memory appears")
        stage.say(
            """
            An administrator makes a backend of 1 GiB and gives it a tag, a UUID. By this tag everybody will call that memory. The \
            control link carries one packet in each datagram, so nothing stands around the packet.
            """)
        _ = try control.createBackend(Self.tag, size: Self.size, path: nil, hugePages: false)
        show(.control)
    }

    private mutating func wrongSize() throws(ClientError) {
        try stage.step("Half of it is refused")
        stage.say("A backend is given whole. The FM asks for 512 MiB under the tag, and the device says why not:")
        do throws(ClientError) {
            try add(length: Self.size / 2)
        } catch .refused(let refusal) where refusal.codeValue == ReturnCode.invalidExtentList.rawValue {
            return show(.fm)
        }
        throw .unmet("an Add of another length than the backend's was not refused")
    }

    private mutating func add(length: UInt64) throws(ClientError) {
        let header = InitiateDynamicCapacityAdd.Header(hostID: 0, policy: .prescriptive)
        try fm.initiateAdd(header, extents: [Extent(start: 0, length: length, tag: Self.tag)])
    }

    private mutating func offer() throws(ClientError) {
        try stage.step("The fabric manager offers it to host 0")
        try add(length: Self.size)
        show(.fm)
        try stage.map(&viewer)
    }

    private mutating func accept() throws(ClientError) {
        try stage.step("Host 0 accepts")
        stage.say("The host finds the offer in its event log, takes all of it, and clears the record.")
        let page = try host.events()
        show(.host(0))
        guard let record = page.records.first, case .dynamicCapacity(let event) = record.body else {
            throw .unmet("the host's event log does not show the offer")
        }
        try host.answerOffer([DPARange(start: event.extent.start, length: event.extent.length)])
        show(.host(0))
        try host.clearEvents(page.records.map(\.header.handle))
        _ = recorders[.host(0)]?.take()
        try stage.map(&viewer)
    }

    private mutating func mapAndWrite() throws(ClientError) {
        try stage.step("Host 0 maps the memory, and writes")
        let mapping = try Mapping(&host, at: Self.address)
        show(.host(0))
        stage.say(
            """
            A file descriptor came beside the answer (SCM_RIGHTS). The host maps it: from now on its loads and stores reach the memory \
            itself, and no message passes.
            """)
        try mapping.store(Array(Self.text.utf8), at: Self.address)
        stage.show(StyledLine("stored at 0x1000: '\(Self.text)'", .good))
    }

    private mutating func readElsewhere() throws(ClientError) {
        try stage.step("Another process reads the same bytes")
        let arguments = ["host", "0", "read", "--at", "0x1000", "--length", "\(Self.text.utf8.count)", "--text"]
        stage.command("fmapictl " + arguments.joined(separator: " "))
        let found = try ChildProcess.output(
            of: [TemporaryService.ownPath ?? "fmapictl"] + arguments + ["--host", "0=\(service.path(.host(0)))"])
        guard found == Self.text + "\n" else { throw .unmet("the other process read '\(printable(found))'") }
        stage.show(StyledLine(Self.text, .good))
    }

    private mutating func askBack() throws(ClientError) {
        try stage.step("The fabric manager wants it back, by tag")
        try fm.initiateRelease(
            InitiateDynamicCapacityRelease.Header(hostID: 0, policy: .tagBased, length: Self.size, tag: Self.tag))
        show(.fm)
        try stage.map(&viewer)
        stage.show("")
        stage.say("The host reads the request in its log, unmaps the memory, and gives it back:")
        let page = try host.events()
        try host.clearEvents(page.records.map(\.header.handle))
        let held = try host.ownExtents().entries.map { DPARange(start: $0.start, length: $0.length) }
        _ = recorders[.host(0)]?.take()
        try host.release(held)
        show(.host(0))
    }

    private mutating func released() throws(ClientError) {
        try stage.step("Released")
        let status = try control.releaseStatus(of: Self.tag)
        show(.control)
        guard status == .released else { throw .unmet("the tag is \(status.name)") }
        try stage.map(&viewer)
    }
}
