/*
 * Reads keys from environment variables: `EVNODE_` and the key in capitals, dots as underscores.
 */
import { CONFIG_KEYS, ENV_PREFIX } from './keys.ts'
import { nearest } from './nearest.ts'
import type { Problem } from './problems.ts'
import type { Given, Source } from './yaml-read.ts'

/** Variable that names the home directory. */
export const HOME_VARIABLE = 'EVNODE_HOME'

/**
 * Reads the variables of a process. An empty one counts as not set. One that begins with `EVNODE_` and is nobody's
 * comes back as a problem; never throws.
 */
export function readEnvironment(variables: Readonly<Record<string, string | undefined>>): Source {
  const values = new Map<string, Given>()
  const problems: Problem[] = []
  for (const { path, env } of CONFIG_KEYS) {
    const text = variables[env]
    if (text !== undefined && text !== '') values.set(path, { text, origin: env })
  }
  const known = new Set([...CONFIG_KEYS.map((key) => key.env), HOME_VARIABLE])
  for (const name of Object.keys(variables)) {
    if (!name.startsWith(ENV_PREFIX) || known.has(name)) continue
    const meant = nearest(name, known)
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`
    problems.push({
      key: undefined,
      origin: undefined,
      message: `${name} is no variable of this program${hint}`,
    })
  }
  return { values, problems }
}
