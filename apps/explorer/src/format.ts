/*
 * Numbers, times and hashes as people read them.
 */
import { toHex } from 'evolve-node/client'

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const tenths = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 })

/** A count or height: `12,345`. */
export function formatCount(count: number): string {
  return whole.format(count)
}

/** Something a second: `0.4`, `12.0`, `4,120`. */
export function formatRate(rate: number): string {
  return rate < 100 ? tenths.format(rate) : whole.format(rate)
}

/** A count with its noun: `1 block`, `2 blocks`. */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** A size: `512 B`, `4.2 kB`, `1.0 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  const [unit, scale] = bytes < 999_950 ? (['kB', 1_000] as const) : (['MB', 1_000_000] as const)
  return `${tenths.format(bytes / scale)} ${unit}`
}

/** Milliseconds as the two greatest units that matter: `40 s`, `3 min 20 s`, `5 h 12 min`, `2 d 4 h`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(Math.max(0, ms) / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return two(minutes, 'min', seconds % 60, 's')
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return two(hours, 'h', minutes % 60, 'min')
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

function two(great: number, greatUnit: string, small: number, smallUnit: string): string {
  const first = `${whole.format(great)} ${greatUnit}`
  return small === 0 ? first : `${first} ${small} ${smallUnit}`
}

/**
 * How long ago something was, both in milliseconds since 1970, in the greatest unit: `now`, `12 s ago`, `3 min ago`.
 * Clocks may differ a little.
 */
export function formatAge(time: number, now: number): string {
  const seconds = Math.floor((now - time) / 1_000)
  if (seconds < 1) return 'now'
  const [unit, length] = UNITS.find(([, least]) => seconds >= least) ?? SECOND
  return `${whole.format(Math.floor(seconds / length))} ${unit} ago`
}

const SECOND = ['s', 1] as const
const UNITS = [['d', 86_400] as const, ['h', 3_600] as const, ['min', 60] as const, SECOND]

/** Milliseconds since 1970 of unix nanoseconds. */
export function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000n)
}

/** A moment in the reader's time zone, to the millisecond: `2026-11-28 04:49:26.120 GMT+1`. */
export function formatTime(nanoseconds: bigint): string {
  const date = new Date(milliseconds(nanoseconds))
  const pad = (value: number, length = 2): string => String(value).padStart(length, '0')
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
  return `${day} ${time}.${pad(date.getMilliseconds(), 3)} ${zoneOf(date)}`
}

function zoneOf(date: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date)
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? ''
}

/** Both ends of a hash: `9f86d081…0f00a08`. */
export function shortHash(bytes: Uint8Array): string {
  return shorten(toHex(bytes), 8, 6)
}

/** Both ends of a long text. */
export function shorten(text: string, start: number, end: number): string {
  return text.length <= start + end + 1 ? text : `${text.slice(0, start)}…${text.slice(-end)}`
}
