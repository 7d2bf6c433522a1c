/*
 * Durations in the text form of Go's time package: `100ms`, `1m0s`, `2m30s`, `1.5s`. Nanoseconds in a signed
 * 64-bit range, truncated below one nanosecond.
 */
import { EvolveError } from '../util/errors.ts'

/** Nanoseconds of one millisecond. */
const MILLISECOND = 1_000_000n
const SECOND = 1_000_000_000n

const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['µs', 1_000n],
  ['μs', 1_000n],
  ['ms', MILLISECOND],
  ['s', SECOND],
  ['m', 60n * SECOND],
  ['h', 3_600n * SECOND],
])

const MAX = 2n ** 63n
const TERM = /(\d*)(?:(\.)(\d*))?([^\d.]+)/y

function invalid(text: string, why: string): EvolveError {
  return new EvolveError(
    'INVALID_DURATION',
    `expected a duration such as 100ms, 1.5s or 2m30s, got ${JSON.stringify(text)}: ${why}`,
  )
}

/** The digits after a point as a whole number and its scale, as many of them as 63 bits hold. */
function fraction(digits: string): { readonly value: bigint; readonly scale: number } {
  let value = 0n
  let scale = 1
  for (const digit of digits) {
    const next = value * 10n + BigInt(digit)
    if (value > (MAX - 1n) / 10n || next > MAX) break
    value = next
    scale *= 10
  }
  return { value, scale }
}

/**
 * Nanoseconds of a duration in Go's text form: an optional sign, then numbers each with an optional fraction and a
 * unit (`h`, `m`, `s`, `ms`, `us` or `µs`, `ns`), or a bare `0`. Throws `INVALID_DURATION`.
 * Source: Go's time.ParseDuration, whose rounding of fractions it keeps.
 */
export function parseDuration(text: string): bigint {
  const negative = text.startsWith('-')
  const rest = negative || text.startsWith('+') ? text.slice(1) : text
  if (rest === '0') return 0n
  if (rest === '') throw invalid(text, 'nothing is there')
  let total = 0n
  TERM.lastIndex = 0
  while (TERM.lastIndex < rest.length) {
    const at = TERM.lastIndex
    const [, whole = '', point, digits = '', name = ''] = TERM.exec(rest) ?? []
    if (name === '') throw invalid(text, `a number needs a unit: ${[...UNITS.keys()].join(', ')}`)
    const unit = UNITS.get(name)
    if (unit === undefined) throw invalid(text, `${JSON.stringify(name)} is not a unit`)
    if (whole === '' && (point === undefined || digits === '')) {
      throw invalid(text, `a number is missing before ${JSON.stringify(rest.slice(at))}`)
    }
    const { value, scale } = fraction(digits)
    // In floating point, as Go does it: 0.1h must give the same nanosecond here and there.
    total += BigInt(whole) * unit + BigInt(Math.trunc(Number(value) * (Number(unit) / scale)))
    if (total > MAX) throw invalid(text, 'it is longer than 292 years')
  }
  if (negative) return -total
  if (total === MAX) throw invalid(text, 'it is longer than 292 years')
  return total
}

/** `value / unit` in decimals without trailing zeros. */
function decimal(value: bigint, unit: bigint): string {
  const width = String(unit).length - 1
  const fractional = String(value % unit)
    .padStart(width, '0')
    .replace(/0+$/, '')
  return fractional === '' || width === 0 ? String(value / unit) : `${value / unit}.${fractional}`
}

/** The text of a duration in nanoseconds as Go writes it: `0s`, `100ms`, `1m0s`, `1h2m3.5s`. */
export function formatDuration(nanoseconds: bigint): string {
  if (nanoseconds < 0n) return `-${formatDuration(-nanoseconds)}`
  if (nanoseconds === 0n) return '0s'
  if (nanoseconds < 1_000n) return `${nanoseconds}ns`
  if (nanoseconds < MILLISECOND) return `${decimal(nanoseconds, 1_000n)}µs`
  if (nanoseconds < SECOND) return `${decimal(nanoseconds, MILLISECOND)}ms`
  const minutes = nanoseconds / (60n * SECOND)
  const seconds = `${decimal(nanoseconds % (60n * SECOND), SECOND)}s`
  if (minutes === 0n) return seconds
  return minutes < 60n ? `${minutes}m${seconds}` : `${minutes / 60n}h${minutes % 60n}m${seconds}`
}

/** Milliseconds, fractions included, of a duration in nanoseconds: exact to the nanosecond below 26 days. */
export function toMilliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e6
}

/** Nanoseconds of a number of milliseconds. */
export function fromMilliseconds(milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds * 1e6))
}
