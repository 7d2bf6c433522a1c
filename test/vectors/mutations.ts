/** A value within a section that is not a list or an object, and where it stands. */
export interface Leaf {
  readonly section: string
  /** Keys from the file down to the value. */
  readonly path: readonly (string | number)[]
  /** The path with `[]` for every index: equal for values that are checked in the same way. */
  readonly pattern: string
  /** The case that the value is in, in sections with a list of cases. */
  readonly only: number | undefined
  readonly value: string | number | boolean | null
}

/** All leaves of a file, in order. */
export function* leavesOf(file: object): Generator<Leaf> {
  for (const [section, value] of Object.entries(file)) yield* walk(section, value, [section], undefined)
}

function* walk(
  section: string,
  value: unknown,
  path: readonly (string | number)[],
  only: number | undefined,
): Generator<Leaf> {
  if (Array.isArray(value)) {
    for (const [index, part] of value.entries()) {
      yield* walk(section, part, [...path, index], only ?? index)
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, part] of Object.entries(value)) yield* walk(section, part, [...path, key], only)
  } else if (
    value === null ||
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'boolean'
  ) {
    const pattern = path.map((key) => (typeof key === 'number' ? '[]' : `.${key}`)).join('')
    yield { section, path, pattern: pattern.slice(1), only, value }
  }
}

/** Puts a value at a path of a file and returns what stood there. */
export function replaceAt(file: object, path: readonly (string | number)[], value: unknown): unknown {
  let place: object = file
  for (const key of path.slice(0, -1)) {
    const next: unknown = Reflect.get(place, key)
    if (typeof next !== 'object' || next === null) throw new Error(`no such place: ${path.join('.')}`)
    place = next
  }
  const last = path.at(-1) ?? ''
  const before: unknown = Reflect.get(place, last)
  Reflect.set(place, last, value)
  return before
}

function otherCharacter(character: string): string {
  if (/^[0-8]$/.test(character)) return String(Number(character) + 1)
  if (character === '9') return '0'
  if (/^[a-eg-yA-Y]$/.test(character)) return String.fromCharCode(character.charCodeAt(0) + 1)
  if (character === 'f' || character === 'z') return 'a'
  return character === 'x' ? 'y' : 'x'
}

/**
 * Other values for a leaf: one character changed at up to `spots` places of a text, and a character less or more
 * where there are many; or another value.
 */
export function mutationsOf(value: Leaf['value'], spots: number): (string | number | boolean)[] {
  if (value === null) return ['00', 'x']
  if (typeof value === 'number') return [value + 1, value - 1]
  if (typeof value === 'boolean') return [!value]
  if (value === '') return ['00', 'x']
  const count = Math.min(spots, value.length)
  const places = new Set(
    Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * value.length) / count)),
  )
  const changed = [...places].map(
    (at) => value.slice(0, at) + otherCharacter(value.charAt(at)) + value.slice(at + 1),
  )
  return spots < 3 ? changed : [...changed, value.slice(0, -1), `${value}0`]
}
