/// Text from a peer as a terminal may show it: control characters, and what would change the direction of writing, become `\u{…}`.
public func printable(_ text: some StringProtocol) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse:
            result += "\\u{\(String(scalar.value, radix: 16))}"
        default:
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// Device time, nanoseconds since 1970-01-01 UTC, as `2025-01-31 23:59:59.123Z`; `-` if the clock was never set.
public func timestamp(_ nanoseconds: UInt64) -> String {
    guard nanoseconds != 0 else { return "-" }
    let seconds = nanoseconds / 1_000_000_000
    let (day, second) = (Int(seconds / 86_400), Int(seconds % 86_400))
    let date = civilDate(daysSince1970: day)
    let time = "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
    let fraction = padded(Int(nanoseconds / 1_000_000 % 1_000), 3)
    return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2)) \(time).\(fraction)Z"
}

private func padded(_ number: Int, _ digits: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}

/// Gregorian date of a day from 1970 on: years are counted from March, so that the leap day is the last of its year, and 146,097 days
/// make 400 years.
private func civilDate(daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
    let days = daysSince1970 + 719_468
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
}
