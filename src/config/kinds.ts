/*
 * The kinds of values a key can have. Each is a zod codec between the text that yaml, environment and flags carry
 * and the value the program uses, so one schema reads and writes.
 */
import { z } from 'zod'
import { isEvolveError } from '../util/errors.ts'
import { formatDuration, fromMilliseconds, parseDuration, toMilliseconds } from './duration.ts'

/** What is known of a key besides how it is read. */
export interface KeyMeta {
  readonly kind: 'text' | 'boolean' | 'count' | 'fraction' | 'duration' | 'choice' | 'list'
  /** For the comment in the file and the help: what it is for. One line. */
  readonly doc: string
  /** The default as text. */
  readonly defaultText: string
  /** The only values it can have. */
  readonly allowed?: readonly string[]
  /** Given by flag or environment only, never in the file. */
  readonly noFile?: boolean
  /** Written to the file only when it is not the default, and left out of the help. */
  readonly rare?: boolean
  /** Has no value that is right everywhere: an empty one stands in the file as a comment only. */
  readonly noDefault?: boolean
  /** Never shown. */
  readonly secret?: boolean
  /** A list that is a yaml sequence in the file; other lists are one text with commas. */
  readonly sequence?: boolean
}

/** {@link KeyMeta} that a section gives beside the kind's own. */
export type KeyExtras = Pick<KeyMeta, 'noFile' | 'rare' | 'noDefault' | 'secret'>

/** Schema of one key: reads its text, default included. */
export type Leaf<T> = z.ZodType<T, string | undefined>

/** Schema of a section: one {@link Leaf} or section per key, named in camel case. */
export type Section<T> = z.ZodObject<{ [K in keyof T]: T[K] extends Value ? Leaf<T[K]> : Section<T[K]> }>

/** What a key's value can be. */
export type Value = string | number | boolean | readonly string[]

/** What is known of each leaf of the schema. */
export const keyMeta: z.core.$ZodRegistry<KeyMeta> = z.registry<KeyMeta>()

/** `decode` throws an Error whose message says what is expected. */
function leaf<T>(meta: KeyMeta, decode: (text: string) => T, encode: (value: T) => string): Leaf<T> {
  const schema = z
    .codec(z.string(), z.custom<T>(), {
      decode(given, payload) {
        try {
          return decode(given)
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error)
          payload.issues.push({ code: 'custom', input: given, message })
          return z.NEVER
        }
      },
      encode,
    })
    .prefault(meta.defaultText)
  keyMeta.add(schema, meta)
  return schema
}

/** A key that holds text. `check` returns what is expected when the text is wrong. */
export function text(
  defaultText: string,
  doc: string,
  options: KeyExtras & { readonly check?: (text: string) => string | undefined } = {},
): Leaf<string> {
  const { check, ...extras } = options
  const decode = (value: string): string => {
    const expected = check?.(value)
    if (expected !== undefined) throw new Error(expected)
    return value
  }
  return leaf({ kind: 'text', doc, defaultText, ...extras }, decode, (value) => value)
}

const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True']
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False']

/** A key that is true or false; the texts of Go's strconv.ParseBool. */
export function yesNo(defaultValue: boolean, doc: string, extras: KeyExtras = {}): Leaf<boolean> {
  const decode = (value: string): boolean => {
    if (TRUE.includes(value)) return true
    if (FALSE.includes(value)) return false
    throw new Error('expected true or false')
  }
  return leaf({ kind: 'boolean', doc, defaultText: String(defaultValue), ...extras }, decode, String)
}

const DECIMAL = /^(?:0|[1-9]\d*(?:_\d+)*)$/
const PREFIXED = /^0(?:x(?:_?[\da-f])+|o(?:_?[0-7])+|b(?:_?[01])+)$/i

/** A key that is a whole number from 0 to 2^53 - 1, or from `min`. */
export function count(
  defaultValue: number,
  doc: string,
  { min = 0, ...extras }: KeyExtras & { readonly min?: number } = {},
): Leaf<number> {
  const decode = (value: string): number => {
    const number =
      DECIMAL.test(value) || PREFIXED.test(value) ? Number(value.replaceAll('_', '')) : Number.NaN
    if (Number.isSafeInteger(number) && number >= min) return number
    throw new Error(`expected a whole number from ${min} to 2^53-1`)
  }
  return leaf({ kind: 'count', doc, defaultText: String(defaultValue), ...extras }, decode, String)
}

/** A key that is a number from 0 to 1. */
export function fraction(defaultValue: number, doc: string): Leaf<number> {
  const decode = (value: string): number => {
    const number = /^\+?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(value) ? Number(value) : Number.NaN
    if (number >= 0 && number <= 1) return number
    throw new Error('expected a number from 0 to 1')
  }
  return leaf({ kind: 'fraction', doc, defaultText: String(defaultValue) }, decode, String)
}

/** A key that is a span of time: Go's text form outside, milliseconds inside. With `positive`, 0 is refused. */
export function duration(
  defaultText: string,
  doc: string,
  { positive = false }: { readonly positive?: boolean } = {},
): Leaf<number> {
  const decode = (value: string): number => {
    let nanoseconds: bigint
    try {
      nanoseconds = parseDuration(value)
    } catch (error) {
      if (!isEvolveError(error, 'INVALID_DURATION')) throw error
      throw new Error('expected a duration such as 100ms, 1.5s or 2m30s', { cause: error })
    }
    if (nanoseconds < 0n) throw new Error('expected a duration that is not negative')
    if (positive && nanoseconds === 0n) throw new Error('expected a duration above 0')
    return toMilliseconds(nanoseconds)
  }
  return leaf({ kind: 'duration', doc, defaultText }, decode, (value) =>
    formatDuration(fromMilliseconds(value)),
  )
}

/** A key with few possible values. */
export function choice<const T extends string>(
  allowed: readonly T[],
  defaultValue: NoInfer<T>,
  doc: string,
): Leaf<T> {
  const decode = (value: string): T => {
    const found = allowed.find((name) => name === value)
    if (found === undefined) throw new Error(`expected one of ${allowed.join(', ')}`)
    return found
  }
  return leaf({ kind: 'choice', doc, defaultText: defaultValue, allowed }, decode, (value) => value)
}

/**
 * A key that holds several texts, separated by commas. `check` returns what is expected when an item is wrong;
 * `sequence` makes it a yaml sequence in the file.
 */
export function list(
  doc: string,
  {
    check,
    sequence = false,
  }: { readonly check?: (item: string) => string | undefined; readonly sequence?: boolean } = {},
): Leaf<readonly string[]> {
  const decode = (value: string): readonly string[] => {
    const items = value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
    for (const item of items) {
      const expected = check?.(item)
      if (expected !== undefined) throw new Error(`${expected}, not ${JSON.stringify(item)}`)
    }
    return items
  }
  return leaf<readonly string[]>({ kind: 'list', doc, defaultText: '', sequence }, decode, (items) =>
    items.join(','),
  )
}
