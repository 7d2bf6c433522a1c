/*
 * The schema as a list of keys, each with its names.
 */
import { z } from 'zod'
import { keyMeta, type KeyMeta } from './kinds.ts'
import { configSchema } from './schema.ts'

/** Start of every flag's name. */
export const FLAG_PREFIX = 'evnode.'

/** Start of flag names in old scripts; means the same. */
export const LEGACY_FLAG_PREFIX = 'rollkit.'

/** Start of every environment variable's name. */
export const ENV_PREFIX = 'EVNODE_'

/** One key of the configuration. */
export interface ConfigKey extends KeyMeta {
  /** As in the file: `node.block_time`. */
  readonly path: string
  /** Names in a {@link import('./schema.ts').Config}, from the outside in: `['node', 'blockTime']`. */
  readonly property: readonly string[]
  /** Without dashes: `evnode.node.block_time`. */
  readonly flag: string
  /** `EVNODE_NODE_BLOCK_TIME`. */
  readonly env: string
  /** The one text for what `text` means: `true` for `T`, `1h0m0s` for `60m`. Throws when it is not a value. */
  canonical(text: string): string
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function walk(schema: z.ZodObject, above: readonly string[]): ConfigKey[] {
  return Object.entries(schema.shape).flatMap(([name, child]) => {
    const property = [...above, name]
    if (child instanceof z.ZodObject) return walk(child, property)
    const meta = keyMeta.get(child)
    if (meta === undefined) throw new TypeError(`key ${property.join('.')} of the schema is of no kind`)
    const path = property.map(snakeCase).join('.')
    const env = ENV_PREFIX + path.toUpperCase().replaceAll('.', '_')
    const canonical = (text: string): string => String(z.encode(child, z.decode(child, text)))
    return [{ ...meta, path, property, flag: FLAG_PREFIX + path, env, canonical }]
  })
}

/** Every key, in the order of the file. */
export const CONFIG_KEYS: readonly ConfigKey[] = walk(configSchema, [])

const byPath = new Map(CONFIG_KEYS.map((key) => [key.path, key]))

/** The key of a path such as `node.block_time`. */
export function keyAt(path: string): ConfigKey | undefined {
  return byPath.get(path)
}

/** Every section's path: `node`, `signer.kms`, … */
export const SECTIONS: ReadonlySet<string> = new Set(
  CONFIG_KEYS.flatMap(({ path }) => {
    const names = path.split('.')
    return names.slice(1).map((_, index) => names.slice(0, index + 1).join('.'))
  }),
)
