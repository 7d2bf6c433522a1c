/*
 * Times as Go writes them in JSON: RFC 3339 with up to nine digits of fraction.
 */
const PATTERN = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:Z|([+-])(\d{2}):(\d{2}))$/
const MILLISECOND = 1_000_000n
const SECOND = 1_000_000_000n
const MINUTE = 60n * SECOND

/**
 * Unix nanoseconds of an RFC 3339 time, of any offset; digits of the fraction behind the ninth are cut off.
 * undefined when it is no such time, or no day or hour of the calendar. May be negative.
 */
export function parseTimestamp(text: string): bigint | undefined {
  const match = PATTERN.exec(text)
  if (match === null) return undefined
  const [
    ,
    year,
    month,
    day,
    hour,
    minute,
    second,
    fraction = '',
    sign,
    offsetHour = '0',
    offsetMinute = '0',
  ] = match
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59 || Number(hour) > 23) return undefined
  const whole = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const milliseconds = Date.parse(`${whole}Z`)
  // Days that a month does not have roll over into the next one.
  if (Number.isNaN(milliseconds) || !new Date(milliseconds).toISOString().startsWith(whole)) return undefined
  const nanoseconds = BigInt(milliseconds) * MILLISECOND + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
  const offset = (BigInt(offsetHour) * 60n + BigInt(offsetMinute)) * MINUTE
  return sign === '-' ? nanoseconds + offset : nanoseconds - offset
}

/** RFC 3339 in UTC of unix nanoseconds from 0 on, without trailing zeros in the fraction. */
export function formatTimestamp(time: bigint): string {
  const whole = new Date(Number(time / MILLISECOND)).toISOString().slice(0, 19)
  const fraction = String(time % SECOND)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return fraction === '' ? `${whole}Z` : `${whole}.${fraction}Z`
}
