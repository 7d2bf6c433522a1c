/*
 * States as JSON in one form: RFC 8785 (keys in order of their UTF-16 units, numbers as ECMAScript writes them, no
 * blanks), so that equal states have equal bytes on every machine. A bigint is written `{"$bigint":"12"}`.
 */
import { EvolveError } from '../util/errors.ts'

/** What a state may be made of. Numbers are finite, -0 counts as 0, texts are well-formed Unicode. */
export type StateValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly StateValue[]
  | { readonly [name: string]: StateValue }

/** A state as transactions see it: nobody may change it. */
export type Frozen<S> = S extends (...parameters: never) => unknown
  ? never
  : S extends object
    ? { readonly [K in keyof S]: Frozen<S[K]> }
    : S

/** Objects and lists within each other; a circle is deeper than any number. */
const MAX_DEPTH = 64
const BIGINT = '$bigint'

/** What {@link settle} made. */
const settled = new WeakSet<object>()

/**
 * A state that is checked, frozen and brought into its one form: keys in order, no prototype (so that no name is there
 * that nobody put there). What is settled already is taken as it is, so that only what changed costs time. Throws
 * `INVALID_STATE`, which names the place.
 */
export function settle<S>(value: S | Frozen<S>): Frozen<S>
export function settle(value: unknown): unknown {
  return settleAt(value, '', 0, false)
}

/** The settled state of a text that {@link formatState} wrote for one of this type. Throws `SyntaxError` or `INVALID_STATE`. */
export function parseState<S>(text: string): Frozen<S>
export function parseState(text: string): unknown {
  return settleAt(JSON.parse(text), '', 0, true)
}

/** A copy of a settled state that is whoever's who asked for it. */
export function thaw<S>(state: Frozen<S>): S
export function thaw(state: unknown): unknown {
  return structuredClone(state)
}

function settleAt(value: unknown, path: string, depth: number, stored: boolean): StateValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'bigint') return value
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalid(path, `is ${value}; a number must be finite`)
    return value + 0
  }
  if (typeof value === 'string') return wellFormed(value, path)
  if (typeof value !== 'object') throw invalid(path, `is ${describe(value)}; allowed is ${ALLOWED}`)
  if (isSettled(value)) return value
  if (depth >= MAX_DEPTH) throw invalid(path, `is deeper than ${MAX_DEPTH} levels, or a circle`)
  if (Array.isArray(value)) {
    // Not map, which passes over holes.
    const list = Array.from(value, (item: unknown, i) => settleAt(item, `${path}[${i}]`, depth + 1, stored))
    return keep(list)
  }
  if (!isPlain(value)) throw invalid(path, `is ${describe(value)}; allowed is ${ALLOWED}`)
  const big: unknown = Reflect.get(value, BIGINT)
  if (stored && typeof big === 'string') return BigInt(big)
  const object: Record<string, StateValue> = Object.create(null)
  for (const name of Object.keys(value).toSorted(byUnits)) {
    const below = path === '' ? name : `${path}.${name}`
    if (name === BIGINT) throw invalid(below, 'has a name that stands for big numbers; choose another')
    object[wellFormed(name, below)] = settleAt(Reflect.get(value, name), below, depth + 1, stored)
  }
  return keep(object)
}

const ALLOWED = 'null, true, false, numbers, bigints, texts, and lists and plain objects of them'

/** The text of a state. Throws `INVALID_STATE`. */
export function formatState(state: unknown): string {
  return write(settleAt(state, '', 0, false))
}

function write(value: StateValue): string {
  if (typeof value === 'bigint') return `{"${BIGINT}":"${value}"}`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map(write).join(',')}]`
  // Engines show names that are whole numbers first, and in their own order.
  const parts = Object.keys(value)
    .toSorted(byUnits)
    .map((name) => `${JSON.stringify(name)}:${write(value[name] ?? null)}`)
  return `{${parts.join(',')}}`
}

function byUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function wellFormed(text: string, path: string): string {
  if (text.isWellFormed()) return text
  throw invalid(path, 'is a text with half a character (a lone surrogate); bytes are kept as hex')
}

function keep<T extends object>(value: T): T {
  settled.add(value)
  return Object.freeze(value)
}

function isSettled(value: object): value is Extract<StateValue, object> {
  return settled.has(value)
}

function isList(value: Extract<StateValue, object>): value is readonly StateValue[] {
  return Array.isArray(value)
}

/** Whether it is `{…}`, with or without a prototype, and not of a class. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  const plain = prototype === null || Object.getPrototypeOf(prototype) === null
  return plain && Object.getOwnPropertySymbols(value).length === 0
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null)
    return value === undefined ? 'undefined' : `a ${typeof value}`
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== 'Object'
    ? `an instance of ${name}`
    : 'an object that is not plain'
}

function invalid(path: string, what: string): EvolveError {
  return new EvolveError('INVALID_STATE', `the state${path === '' ? '' : ` at ${path}`} ${what}`, {
    data: { path },
  })
}
