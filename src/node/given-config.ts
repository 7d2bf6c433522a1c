import { keyAt, CONFIG_KEYS } from '../config/keys.ts'
import { nearest } from '../config/nearest.ts'
import type { Problem } from '../config/problems.ts'
import type { Source } from '../config/yaml-read.ts'

/** Where {@link givenConfig} says that its values come from. */
const ORIGIN = 'createNode'

/** Values of keys of the configuration by their path, as a program gives them. Lists are written with commas. */
export type GivenValues = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/** A source of the configuration out of a program's values. Those that are undefined count as not given. */
export function givenConfig(values: GivenValues): Source {
  const problems: Problem[] = []
  const given = Object.entries(values).flatMap(([path, value]) => {
    if (value === undefined) return []
    if (keyAt(path) === undefined) problems.push(unknownKey(path))
    return [[path, { text: String(value), origin: ORIGIN }] as const]
  })
  return { values: new Map(given.filter(([path]) => keyAt(path) !== undefined)), problems }
}

function unknownKey(path: string): Problem {
  const meant = nearest(path, new Set(CONFIG_KEYS.map((key) => key.path)))
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`
  return { key: undefined, origin: ORIGIN, message: `${path} is no key of the configuration${hint}` }
}

/** A number of milliseconds as the configuration writes it. */
export function milliseconds(value: number | undefined): string | undefined {
  return value === undefined ? undefined : `${value}ms`
}
