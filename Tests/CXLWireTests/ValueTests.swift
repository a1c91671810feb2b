import Testing

@testable import CXLWire

@Suite struct HeaderTests {
    @Test func responseEchoesTagAndOpcode() {
        let request = CCIHeader.request(.getDCDInfo, tag: 77, payloadLength: 0)
        let response = request.response(.retryRequired, reason: .eventLogFull, isBackground: true)
        #expect(response.category == .response)
        #expect(response.tag == 77)
        #expect(response.opcode == .getDCDInfo)
        #expect(response.returnCode == .retryRequired)
        #expect(response.vendorStatus == Refusal.Reason.eventLogFull.rawValue)
        #expect(response.isBackground)
        #expect(response.payloadLength == 0)
        #expect(request.response(.success, payloadLength: 84).payloadLength == 84)
    }

    /// Byte 7 has the length's top five bits, two reserved bits, and the background bit.
    @Test func lengthHasTwentyOneBits() {
        var header = CCIHeader.request(.getLog, tag: 0, payloadLength: CCIHeader.maximumPayloadLength)
        #expect(encode(header)[5...7] == [0xFF, 0xFF, 0x1F])
        header.isBackground = true
        header.payloadLength = 0x12_3456
        #expect(encode(header)[5...7] == [0x56, 0x34, 0x92])
        let bytes: [UInt8] = [0xF0, 9, 0xFF, 0x01, 0x04, 0x56, 0x34, 0xF2, 0, 0, 0, 0]
        let span = unsafe bytes.span.bytes
        #expect(CCIHeader(block: span).payloadLength == 0x12_3456)
        #expect(CCIHeader(block: span).category == .request)
    }

    @Test func unknownNumbersAreKept() {
        var header = CCIHeader.request(Opcode(rawValue: 0xBEEF), tag: 1, payloadLength: 0)
        header.categoryCode = 0x0E
        header.returnCodeValue = 0xFFFE
        let bytes = encode(header)
        let span = unsafe bytes.span.bytes
        let decoded = CCIHeader(block: span)
        #expect(decoded == header)
        #expect(decoded.category == nil)
        #expect(decoded.returnCode == nil)
    }
}

@Suite struct OpcodeTests {
    @Test func knownOnesAscendAndHaveDistinctNames() {
        #expect(Opcode.known == Opcode.known.sorted())
        let names = Opcode.known.compactMap(\.name)
        #expect(names.count == Opcode.known.count)
        #expect(Set(names).count == names.count)
    }

    @Test func unknownOnesHaveANumberOnly() {
        #expect(Opcode(rawValue: 0x0ABC).name == nil)
        #expect(Opcode(rawValue: 0x0ABC).description == "0ABCh")
        #expect(Opcode.identify.description == "0001h")
        #expect(Opcode.initiateDynamicCapacityAdd.commandSet == 0x56)
    }

    @Test(arguments: [
        (UInt16(0x50FF), MessageType.cci), (0x5100, .fmAPI), (0x5608, .fmAPI), (0x59FF, .fmAPI), (0x5A00, .cci), (0x0001, .cci),
        (0x4803, .cci), (0xC000, .cci),
    ])
    func messageTypeFollowsTheCommandSet(_ code: UInt16, _ type: MessageType) {
        #expect(Opcode(rawValue: code).messageType == type)
    }
}

@Suite struct TagTests {
    @Test(arguments: ["5c0ffee0-1234-5678-9abc-def012345678", "5C0FFEE0123456789ABCDEF012345678"])
    func textAndBytesAgree(_ text: String) throws {
        let tag = try #require(Tag(text))
        #expect(tag.value == 0x5c0f_fee0_1234_5678_9abc_def0_1234_5678)
        #expect(tag.description == "5c0ffee0-1234-5678-9abc-def012345678")
        #expect(encode(tag).prefix(4) == [0x5c, 0x0f, 0xfe, 0xe0])
    }

    @Test(arguments: [
        "", "5c0ffee0", "5c0ffee0-1234-5678-9abc-def01234567", "5c0ffee0-1234-5678-9abc-def0123456789",
        "5c0ffee0-1234-5678-9abc_def012345678", "5c0ffee0-1234-5678-9abc-def01234567g", "5c0ffee0123456789abcdef0123456789",
        "5c0ffee012345678-9abc-def0-12345678--", "5c0ffee0-1234-5678-9abc-def01234567é", "--------------------------------",
    ])
    func otherTextIsNoTag(_ text: String) {
        #expect(Tag(text) == nil)
    }

    @Test func orderIsThatOfTheText() {
        let tags = [Tag(1), Tag(1 << 64), Tag(0xFF), Tag(1 << 127), .none, Tag(0x0100)]
        #expect(tags.sorted().map(\.description) == tags.map(\.description).sorted())
        #expect(Tag.none.isNone)
        #expect(!Tag(1 << 127).isNone)
    }
}

@Suite struct ValueTests {
    @Test func endsDoNotOverflow() {
        #expect(Extent(start: 1, length: 2).end == 3)
        #expect(Extent(start: .max, length: 1).end == nil)
        #expect(DPARange(start: 1, length: 2).end == 3)
        #expect(DPARange(start: .max, length: 1).end == nil)
    }

    @Test func returnCodesHaveDistinctNames() {
        #expect(Set(ReturnCode.allCases.map(\.name)).count == ReturnCode.allCases.count)
        #expect(ReturnCode(rawValue: 0x1E)?.name == "Invalid Extent List")
        #expect(Refusal(.busy) == Refusal(.busy, .none))
    }

    @Test func hostBitmapSetsAndClears() {
        var bitmap = HostBitmap()
        #expect(bitmap.isEmpty)
        for host in [0, 63, 127, 128, 200, 255] { bitmap[host] = true }
        #expect(bitmap.count == 6)
        bitmap[127] = false
        bitmap[128] = false
        #expect(bitmap.count == 4)
        #expect(!bitmap[127] && !bitmap[128] && bitmap[63] && bitmap[200])
        #expect(!bitmap.isEmpty)
    }

    @Test func firmwareRevisionKeepsSixteenBytes() {
        #expect(FirmwareRevision("1.2.3").description == "1.2.3")
        #expect(FirmwareRevision("0123456789abcdefXYZ").description == "0123456789abcdef")
        #expect(FirmwareRevision("").description == "")
    }

    @Test func logIdentifiersHaveNames() {
        let logs: [LogIdentifier] = [
            .commandEffects, .vendorDebug, .componentStateDump, .ddr5ErrorCheckScrub, .mediaTestCapability,
            .mediaTestResultsShort,
            .mediaTestResultsLong,
        ]
        #expect(Set(logs.compactMap(\.name)).count == logs.count)
        #expect(LogIdentifier(rawValue: 1).name == nil)
        #expect(LogIdentifier.mediaTestResultsLong.description == "c1fe0b3e-7a00-448e-a24e-a6aabbfe587a")
    }

    @Test func pathsMustBeUTF8() throws {
        let bytes: [UInt8] = [0x61, 0xFF]
        let span = unsafe bytes.span.bytes
        let path = try EntryList<UInt8>(span)
        let text = path.text
        #expect(text == nil)
        let emptyText = EntryList<UInt8>().text
        #expect(emptyText == "")
        let isEmpty = EntryList<UInt8>().isEmpty
        #expect(isEmpty)
    }

    /// How many entries fit in a limited response: the numbers of CXL r3.1 §8.2.9.2.2 for events, and edges.
    @Test func capacityCountsWholeEntries() {
        #expect([256, 512, 1024].map { GetEventRecords.Response.capacity(limit: $0) } == [1, 3, 7])
        #expect(GetDCRegionExtentLists.Response.capacity(limit: 1024) == 25)
        #expect(GetDCRegionExtentLists.Response.capacity(limit: 23) == 0)
        #expect(GetHostDCRegionConfiguration.Response.capacity(limit: 256) == 5)
        #expect(InitiateDynamicCapacityAdd.Request.capacity(limit: 1024) == 24)
        #expect(InitiateDynamicCapacityAdd.Request.capacity(limit: 31) == 0)
    }

    /// A handler writes the header, each entry at its offset, and the trailer behind them.
    @Test func streamedEntriesAreTheSamePayload() throws {
        let message = try #require(GoldenMessage.all.first { $0.name == "get-host-dc-region-configuration-response" })
        typealias Response = GetHostDCRegionConfiguration.Response
        let source = message.payload
        let span = unsafe source.span.bytes
        let response = try Response(span)
        let streamed = filled(Response.size(entries: 2)) { span in
            for index in response.entries.indices.reversed() {
                response.entries[index].write(to: &span, at: Response.offset(ofEntry: index))
            }
            response.header.write(to: &span)
            return response.trailer.write(to: &span, at: Response.offset(ofEntry: 2))
        }
        #expect(streamed == message.payload)
    }

    @Test func blocksAreZeroedToTheByte() {
        for count in 0...20 {
            let bytes = filled(24) { span in
                span.zero(2, count)
                return 24
            }
            #expect(bytes.indices.filter { bytes[$0] == 0 } == Array(2..<2 + count))
        }
    }
}

/// Numbers that peers see and that no golden message pins: they must never change.
@Suite struct NumberTests {
    @Test func codesAreThoseOfTheSpecification() {
        #expect(EventLog.allCases.map(\.rawValue) == [0, 1, 2, 3, 4])
        #expect(DynamicCapacityEventType.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5])
        #expect(SelectionPolicy.allCases == [.free, .contiguous, .prescriptive, .enableSharedAccess])
        #expect(SelectionPolicy.allCases.map(\.rawValue) == [0, 1, 2, 3])
        #expect(RemovalPolicy.allCases.map(\.rawValue) == [0, 1])
        #expect(BackendKind.allCases.map(\.rawValue) == [0, 1])
        #expect(BackendState.allCases.map(\.rawValue) == [0, 1, 2, 3, 4])
        #expect(GetReleaseStatus.Status.allCases.map(\.rawValue) == [0, 1, 2])
        #expect([EventSeverity.informational, .warning, .failure, .fatal].map(\.rawValue) == [0, 1, 2, 3])
        #expect([EventInterruptSetting.Mode.none, .messageSignalled, .firmware].map(\.rawValue) == [0, 1, 2])
        #expect([Identify.ComponentType.cxlSwitch, .type3Device, .gfd].map(\.rawValue) == [0, 3, 4])
        #expect([MessageType.fmAPI, .cci].map(\.rawValue) == [7, 8])
        #expect(ReturnCode.allCases.map(\.rawValue) == Array(0...0x20))
        #expect(ResponseMessageLimit.exponents == 8...10)
        #expect(capacityUnit == 0x1000_0000)
    }

    @Test func bitsAreThoseOfTheSpecification() {
        let effects: [CommandEffects] = [
            .configurationChangeAfterColdReset, .immediateConfigurationChange, .immediateDataChange, .immediatePolicyChange,
            .immediateLogChange, .securityStateChange, .backgroundOperation, .secondaryMailboxSupported, .abortSupported,
            .resetEffectsValid, .configurationChangeAfterConventionalReset, .configurationChangeAfterCXLReset,
        ]
        #expect(effects.map(\.rawValue) == (0..<12).map { 1 << $0 })
        let flags: [EventRecordFlags] = [
            .permanentCondition, .maintenanceNeeded, .performanceDegraded, .replacementNeeded, .maintenanceSubclassValid,
            .ldIDValid, .headIDValid,
        ]
        #expect(flags.map(\.rawValue) == (2..<9).map { 1 << $0 })
        let notifications: [EventNotificationSet] = [
            .informational, .warning, .failure, .fatal, .dynamicCapacity, .backgroundCompletion,
        ]
        #expect(notifications.map(\.rawValue) == [1, 2, 4, 8, 16, 0x8000])
        #expect(EventLog.allCases.map { EventNotificationSet($0) } == Array(notifications.prefix(5)))
        let attributes: [GetHostDCRegionConfiguration.Attributes] = [
            .nonVolatile, .sharable, .hardwareCoherent, .interconnectManaged, .readOnly,
        ]
        #expect(attributes.map(\.rawValue) == [4, 8, 16, 32, 64])
        #expect([SelectionPolicySet.free, .contiguous, .prescriptive].map(\.rawValue) == [1, 2, 4])
        #expect([RemovalPolicySet.tagBased, .prescriptive].map(\.rawValue) == [1, 2])
    }

    @Test func codesThatNobodyDefinedAreNil() {
        var add = InitiateDynamicCapacityAdd.Header(hostID: 0, policy: .free)
        add.policyByte = 0x14
        #expect(add.policy == nil)
        #expect(add.hasReservedBits)
        #expect(!add.isPrescriptive)
        var release = InitiateDynamicCapacityRelease.Header(hostID: 0, policy: .tagBased)
        release.flagsByte = 0x82
        #expect(release.policy == nil)
        #expect(release.hasReservedBits)
        #expect(!release.isForced && !release.sanitizes && !release.isPrescriptive)
        var record = DynamicCapacityEvent(type: .addCapacity)
        record.typeCode = 6
        #expect(record.type == nil)
        var request = GetEventRecords.Request(log: .fatal)
        request.logCode = 5
        #expect(request.log == nil)
        var setting = EventInterruptSetting(.none)
        setting.modeCode = 3
        #expect(setting.mode == nil)
    }
}

@Suite struct TagNameTests {
    /// From Python's `uuid.uuid5`.
    @Test(arguments: [
        ("llm-weights", "e08e8fdc-24fe-5ef0-a1f6-f40a939245f3"),
        ("a", "56cd1cf2-1c46-58e3-834a-f2999e8a4ea0"),
        ("größe/1", "f3df5a5b-4faa-5b48-a0b6-5f99c3ff7373"),
        (String(repeating: "x", count: 63), "36ffe891-d3a3-568b-bade-0c2456be130a"),
    ])
    func tagOfName(name: String, tag: String) {
        #expect(Tag(name: name).description == tag)
        #expect(Tag(tag)?.isNamed(name) == true)
        #expect(Tag(1).isNamed(name) == false)
    }

    /// RFC 3174 §7.3.
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
    ])
    func digest(text: String, expected: String) {
        let words = SHA1.digest(Array(text.utf8)).map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }
        #expect(words.joined() == expected)
    }

    @Test(arguments: [
        "", "a\u{0}", "a\nb", "\u{7F}", "\u{85}", String(repeating: "x", count: 64), Tag(7).description,
        " ", "   ", " a", "a ", "\u{3000}a", "a\u{A0}", "a\u{2028}b", "\t", "a\r\n",
    ])
    func noName(text: String) { #expect(!Tag.isName(text)) }
}
