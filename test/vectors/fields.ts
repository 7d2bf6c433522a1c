import { fromHex, toHex } from '../../src/util/bytes.ts'
import { describeError, EvolveError } from '../../src/util/errors.ts'

/** One thing that is not as the file says. */
export interface Mismatch {
  readonly section: string
  readonly name: string
  readonly field: string
  /** What the file says. */
  readonly expected: string
  /** What was computed, or what went wrong. */
  readonly got: string
}

/** Counts what was compared. */
export class Tally {
  passed = 0
  readonly mismatches: Mismatch[] = []

  record(section: string, name: string, field: string, expected: string, got: string): void {
    if (expected === got) this.passed++
    else this.mismatches.push({ section, name, field, expected, got })
  }
}

/** An object of the file does not have the shape it should have: its other checks make no sense. */
export class ShapeError extends Error {
  readonly field: string
  readonly expected: string
  readonly got: string

  constructor(field: string, expected: string, got: string) {
    super(`${field}: expected ${expected}, got ${got}`)
    this.field = field
    this.expected = expected
    this.got = got
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function show(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}

/** What a computation gives, as text; an error is text as well, so that it shows up as the mismatch it is. */
export function attempt(compute: () => string): string {
  try {
    return compute()
  } catch (error) {
    return error instanceof EvolveError
      ? `${error.code}: ${describeError(error)}`
      : `error: ${describeError(error)}`
  }
}

/**
 * An object of the file, read strictly: each field must have its type, and every field that nobody asked for is a
 * mismatch, so nothing in the file goes unchecked.
 */
export class Fields {
  readonly #tally: Tally
  readonly #section: string
  readonly #name: string
  readonly #path: string
  readonly #object: Record<string, unknown>
  readonly #asked = new Set<string>()
  readonly #children: Fields[] = []

  constructor(tally: Tally, section: string, name: string, value: unknown, path = '') {
    this.#tally = tally
    this.#section = section
    this.#name = name
    this.#path = path
    if (!isRecord(value)) throw new ShapeError(path === '' ? '(case)' : path, 'an object', show(value))
    this.#object = value
  }

  #pathOf(field: string): string {
    return this.#path === '' ? field : `${this.#path}.${field}`
  }

  #get(field: string): unknown {
    this.#asked.add(field)
    return this.#object[field]
  }

  #wrong(field: string, expected: string): ShapeError {
    return new ShapeError(this.#pathOf(field), expected, show(this.#object[field]))
  }

  has(field: string): boolean {
    return field in this.#object
  }

  isNull(field: string): boolean {
    return this.#get(field) === null
  }

  text(field: string): string {
    const value = this.#get(field)
    if (typeof value !== 'string') throw this.#wrong(field, 'a string')
    return value
  }

  /** A string that is null when nothing is wrong. */
  kind(field: string): string | undefined {
    return this.isNull(field) ? undefined : this.text(field)
  }

  boolean(field: string): boolean {
    const value = this.#get(field)
    if (typeof value !== 'boolean') throw this.#wrong(field, 'true or false')
    return value
  }

  integer(field: string): number {
    const value = this.#get(field)
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.#wrong(field, 'a whole number')
    return value
  }

  /** A 64-bit unsigned integer: a decimal string. */
  uint64(field: string): bigint {
    const text = this.text(field)
    const value = /^(?:0|[1-9]\d{0,19})$/.test(text) ? BigInt(text) : -1n
    if (value < 0n || value >= 1n << 64n) throw this.#wrong(field, 'a decimal string of 64 bits')
    return value
  }

  /** Bytes in lower-case hex; null is none. */
  bytes(field: string): Uint8Array {
    if (this.isNull(field)) return new Uint8Array(0)
    return this.#bytesOf(field, this.text(field))
  }

  /** Bytes in lower-case hex that must be there. */
  presentBytes(field: string): Uint8Array {
    return this.#bytesOf(field, this.text(field))
  }

  #bytesOf(field: string, text: string): Uint8Array {
    const bytes = text === text.toLowerCase() ? fromHex(text) : undefined
    if (bytes === undefined) throw this.#wrong(field, 'bytes in lower-case hex')
    return bytes
  }

  list(field: string): readonly unknown[] {
    const value = this.#get(field)
    if (!Array.isArray(value)) throw this.#wrong(field, 'a list')
    return value
  }

  /** A list of bytes in lower-case hex. */
  bytesList(field: string): readonly Uint8Array[] {
    return this.list(field).map((value) => {
      if (typeof value !== 'string') throw this.#wrong(field, 'a list of bytes in hex')
      return this.#bytesOf(field, value)
    })
  }

  /** An object within this one. */
  object(field: string): Fields {
    const child = new Fields(this.#tally, this.#section, this.#name, this.#get(field), this.#pathOf(field))
    this.#children.push(child)
    return child
  }

  /** Compares what the file says with what we compute. */
  same(field: string, expected: string, got: () => string): void {
    this.#tally.record(this.#section, this.#name, this.#pathOf(field), expected, attempt(got))
  }

  /** Compares bytes of the file with bytes we compute. */
  sameBytes(field: string, expected: Uint8Array, got: () => Uint8Array): void {
    this.same(field, toHex(expected), () => toHex(got()))
  }

  /** A statement about the file that must be true. */
  holds(field: string, statement: string, isTrue: () => boolean): void {
    this.same(field, statement, () => (isTrue() ? statement : `not so: ${statement}`))
  }

  /** Reports the fields that nobody asked for. Last. */
  finish(): void {
    for (const field of Object.keys(this.#object)) {
      if (this.#asked.has(field)) continue
      this.#tally.record(
        this.#section,
        this.#name,
        this.#pathOf(field),
        'no such field',
        show(this.#object[field]),
      )
    }
    for (const child of this.#children) child.finish()
  }
}
