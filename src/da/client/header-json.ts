/*
 * Headers of the DA chain out of a DA node's JSON.
 * Source: celestia-node header.ExtendedHeader; ev-node v1.2.3 pkg/da/jsonrpc/header.go.
 */
import type { DaHeader } from '../../core/da.ts'
import { EMPTY_BYTES, fromHex } from '../../util/bytes.ts'
import { daError, shortText } from './errors.ts'
import { field } from './json-rpc.ts'

const HASH_BYTES = 32
const NANOSECONDS = 1_000_000_000n
const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))$/

function malformed(what: string, value: unknown): Error {
  const came = typeof value === 'string' ? `"${shortText(value)}"` : typeof value
  return daError('DA_MALFORMED', `a DA header needs ${what}, got ${came}`)
}

/** A height as a number or as decimal text, 0 included; undefined when it is neither, or above 2^53 − 1. */
export function readHeight(value: unknown): number | undefined {
  const height = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
  return typeof height === 'number' && Number.isSafeInteger(height) && height >= 0 ? height : undefined
}

/** Unix nanoseconds of an RFC 3339 text; digits below nanoseconds are cut. Undefined when it is no such text. */
export function readTime(text: string): bigint | undefined {
  const [, year, month, day, hour, minute, second, fraction = '', sign, hours = '0', minutes = '0'] =
    RFC3339.exec(text) ?? []
  if (year === undefined) return undefined
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  // A day that the month does not have becomes one of the next.
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)) return undefined
  const offset = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60
  return BigInt(date.getTime() / 1000 - offset) * NANOSECONDS + BigInt(fraction.padEnd(9, '0'))
}

function heightOf(json: unknown): number {
  const nested = field(field(json, 'header'), 'height') ?? undefined
  const outer = field(json, 'height') ?? undefined
  const heights = [nested, outer].filter((value) => value !== undefined).map(readHeight)
  const height = heights.find((value) => value !== undefined && value > 0) ?? heights[0]
  if (height === undefined) throw malformed('a whole number as its height', nested ?? outer)
  return height
}

function timeOf(json: unknown): bigint {
  for (const value of [field(field(json, 'header'), 'time'), field(json, 'time')]) {
    if (value === undefined || value === null) continue
    const time = typeof value === 'string' ? readTime(value) : undefined
    if (time === undefined) throw malformed('a time as RFC 3339 has it', value)
    // Go's zero time is in the year 1: no time was set.
    if (time > 0n) return time
  }
  return 0n
}

function hashOf(value: unknown, what: string): Uint8Array {
  if (value === undefined || value === null || value === '') return EMPTY_BYTES
  const hash = typeof value === 'string' ? fromHex(value) : undefined
  if (hash?.length !== HASH_BYTES) throw malformed(`${HASH_BYTES} bytes of hex as ${what}`, value)
  return hash
}

/**
 * A header out of a DA node's answer: of celestia-node's full form, or of the short one with height and time only.
 * Throws `DA_MALFORMED`.
 */
export function headerFromJson(json: unknown): DaHeader {
  return {
    height: heightOf(json),
    hash: hashOf(field(field(field(json, 'commit'), 'block_id'), 'hash'), 'its hash'),
    previousHash: hashOf(field(field(field(json, 'header'), 'last_block_id'), 'hash'), 'the hash below'),
    time: timeOf(json),
  }
}
