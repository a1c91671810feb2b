import CXLWire
import CommandInterface
import DeviceModel

/// Reads the configuration file into a draft. What is wrong is noted there, and reading goes on.
struct ConfigurationFile {
    static let defaultPath = "/etc/fmapid/fmapid.conf"

    let path: String

    /// - Parameter text: the file's bytes.
    func read(_ text: [UInt8], into draft: inout OptionsDraft) {
        let entries: [TOMLEntry]
        do throws(TOMLError) { entries = try TOMLValue.parse(text) } catch {
            draft.add(error.text, at: Place(line: error.line, text: "\(path):\(error.line)"))
            draft.doubtful = Set(Setting.allCases)
            return
        }
        for entry in entries {
            guard let setting = Setting(rawValue: entry.key) else {
                addUnknown(entry, among: Setting.allCases.map(\.rawValue), in: nil, to: &draft)
                continue
            }
            let place = place(entry.line, entry.key)
            draft.places[setting] = place
            do throws(UsageError) {
                try take(setting, entry.value, into: &draft)
            } catch {
                draft.add(error.description, at: place)
                draft.doubtful.insert(setting)
            }
        }
        checkKind(&draft)
    }

    private func take(_ setting: Setting, _ value: TOMLValue, into draft: inout OptionsDraft) throws(UsageError) {
        switch setting {
        case .kind:
            let size = draft.options.pool.size
            draft.options.pool = try value.string(oneOf: ["lazy": .lazy(size), "static": .static(size)])
        case .capacity:
            let size = try value.size()
            switch draft.options.pool {
            case .lazy: draft.options.pool = .lazy(size)
            case .static: draft.options.pool = .static(size)
            }
        case .hosts: draft.options.hosts = try value.number()
        case .regions: draft.options.regions = try value.number()
        case .sharableRegions:
            var regions: Set<Int> = []
            for element in try value.array() { regions.insert(try element.number()) }
            draft.options.sharableRegions = regions
        case .blockSize: draft.options.blockSize = try value.size()
        case .maximumExtents: draft.options.maximumExtents = try value.number()
        case .maximumTags: draft.options.maximumTags = try value.number()
        case .eventLogSize: draft.options.eventLogSize = try value.number()
        case .eid: draft.options.eid = UInt8(try value.number(Limit.eid))
        case .packetSize: draft.options.packetSize = try value.number(Limit.packet)
        case .maximumLinks: draft.options.maximumLinks = try value.number(1...Limit.links)
        case .stateDirectory: draft.options.stateDirectory = try value.absolutePath()
        case .verbose: draft.options.verbose = try value.boolean()
        case .backend:
            for table in try value.tables(setting) { takeBackend(table, into: &draft) }
        case .listener:
            for table in try value.tables(setting) { takeListener(table, into: &draft) }
        }
    }

    /// `kind` and `capacity` make sense only together.
    private func checkKind(_ draft: inout OptionsDraft) {
        guard draft.doubtful.isDisjoint(with: [.kind, .capacity]) else { return }
        switch (draft.places[.kind], draft.places[.capacity]) {
        case (nil, nil): break
        case (.some, .some): draft.hasPool = true
        case (let kind?, nil):
            draft.add("needs a capacity beside it, for example capacity = \"64GiB\"", at: kind)
            draft.doubtful.insert(.capacity)
        case (nil, let capacity?):
            draft.add("needs a kind beside it: kind = \"lazy\" or kind = \"static\"", at: capacity)
            draft.doubtful.insert(.kind)
        }
    }

    // MARK: - Tables

    private enum BackendKey: String, CaseIterable {
        case tag, name, size, path
        case hugePages = "huge-pages"
    }

    private func takeBackend(_ table: TOMLValue, into draft: inout OptionsDraft) {
        var tag: Tag?
        var name: String?
        var size: UInt64?
        var path: String?
        var hugePages = false
        let isWhole = take(table, "backend", required: [BackendKey.size], into: &draft) { key, value throws(UsageError) in
            switch key {
            case .tag: tag = try value.tag()
            case .name: name = try value.string()
            case .size: size = try value.size()
            case .path: path = try value.string()
            case .hugePages: hugePages = try value.boolean()
            }
        }
        guard isWhole, let size else {
            draft.doubtful.insert(.backend)
            return
        }
        let tagOfName: Tag? = if let name, Tag.isName(name) { Tag(name: name) } else { nil }
        guard (name == nil) != (tag == nil), let tag = tag ?? tagOfName else {
            let problem =
                name == nil || tag != nil
                ? "needs a tag or a name, which stands for a tag of its own: one of them"
                : "a name has 1 to \(Tag.longestName) bytes, no control characters, no white space at its ends, and is not written like a tag"
            draft.add(problem, at: self.place(table.line, "backend"))
            draft.doubtful.insert(.backend)
            return
        }
        let place = place(table.line, "backend \(name ?? tag.description)")
        if let other = draft.options.backends.first(where: { $0.tag == tag }) {
            draft.add("line \(other.place.line) has a backend of this tag", at: place)
        } else if path != nil, hugePages {
            draft.add("a file has no huge pages; leave out huge-pages or path", at: place)
        } else {
            draft.options.backends.append(
                ConfiguredBackend(
                    tag: tag, size: size, kind: path == nil ? .anonymous : .file, hugePages: hugePages, path: path ?? "",
                    name: name ?? "", place: place))
        }
    }

    private enum ListenerKey: String, CaseIterable {
        case name, role, binding, address
    }

    private func takeListener(_ table: TOMLValue, into draft: inout OptionsDraft) {
        var name: String?
        var role: CCIKind?
        var binding: Binding?
        var address: Address?
        let isWhole = take(table, "listener", required: ListenerKey.allCases, into: &draft) { key, value throws(UsageError) in
            switch key {
            case .name: name = try value.string()
            case .role: role = try ListenerSpec.role(Substring(value.string()))
            case .binding: binding = try ListenerSpec.binding(Substring(value.string()))
            case .address: address = try ListenerSpec.address(Substring(value.string()))
            }
        }
        guard isWhole, let name, let role, let binding, let address else { return }
        let place = place(table.line, "listener \(name)")
        if let other = draft.listenerPlaces[name] {
            draft.add("line \(other.line) has a listener of this name", at: place)
            return
        }
        let spec = ListenerSpec(name: name, role: role, binding: binding, address: address)
        do throws(UsageError) { try spec.check() } catch { draft.add(error.description, at: place) }
        draft.listenerPlaces[name] = place
        draft.options.listeners.append(spec)
    }

    /// Hands each entry of a table to `body`; notes what it throws, keys that there are none of, and keys that are missing.
    /// False if there was any of that.
    private func take<Key: RawRepresentable & CaseIterable & Hashable>(
        _ table: TOMLValue, _ name: String, required: [Key], into draft: inout OptionsDraft,
        body: (Key, TOMLValue) throws(UsageError) -> Void
    ) -> Bool where Key.RawValue == String {
        guard case .table(let entries) = table.content else { return false }
        let problems = draft.problems.count
        var seen: Set<Key> = []
        for entry in entries {
            guard let key = Key(rawValue: entry.key) else {
                addUnknown(entry, among: Key.allCases.map(\.rawValue), in: name, to: &draft)
                continue
            }
            seen.insert(key)
            do throws(UsageError) { try body(key, entry.value) } catch {
                draft.add(error.description, at: place(entry.line, "\(name).\(entry.key)"))
            }
        }
        for key in required where !seen.contains(key) {
            draft.add("\(key.rawValue) is missing", at: place(table.line, name))
        }
        return draft.problems.count == problems
    }

    private func addUnknown(_ entry: TOMLEntry, among keys: [String], in table: String?, to draft: inout OptionsDraft) {
        let advice: String
        if table != nil, Setting(rawValue: entry.key) != nil {
            advice = "it belongs above the first [[backend]] or [[listener]]"
        } else if let nearest = nearestName(to: entry.key, among: keys) {
            advice = "did you mean \(nearest)?"
        } else {
            advice = "there are \(keys.joined(separator: ", "))"
        }
        let name = table.map { "\($0).\(entry.key)" } ?? entry.key
        draft.add("no such key; \(advice)", at: place(entry.line, name))
    }

    private func place(_ line: Int, _ subject: String) -> Place { Place(line: line, text: "\(path):\(line): \(subject)") }
}
