@testable import DeviceModel

extension Device {
    /// The whole state as text, one line for each thing in it. Whatever is stored is part of it, except scratch space and the
    /// shape of the trees; two devices with equal snapshots behave alike.
    func snapshot() -> [String] {
        var lines: [String] = []
        for child in Mirror(reflecting: self).children {
            let name = child.label ?? ""
            if ["plan", "sorted", "pieces"].contains(name) { continue }
            let mirror = Mirror(reflecting: child.value)
            if mirror.displayStyle == .collection {
                for (index, element) in mirror.children.enumerated() { lines.append("\(name)[\(index)]: \(text(element.value))") }
            } else {
                lines.append("\(name): \(text(child.value))")
            }
        }
        return lines
    }

    private func text(_ value: Any) -> String {
        if let index = value as? ExtentIndex { return text(index.entries) }
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .dictionary, .set:
            return "{" + mirror.children.map { text($0.value) }.sorted().joined(separator: ", ") + "}"
        case .collection, .optional, .tuple:
            return "[" + mirror.children.map { text($0.value) }.joined(separator: ", ") + "]"
        case .struct where !(value is any CustomStringConvertible):
            return "(" + mirror.children.map { "\($0.label ?? ""): \(text($0.value))" }.joined(separator: ", ") + ")"
        default:
            return "\(value)"
        }
    }
}
