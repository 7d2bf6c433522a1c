/*
 * From sources to a configuration: defaults, then the file, then the environment, then flags. All that is wrong is
 * told at once.
 */
import { CONFIG_KEYS, keyAt } from './keys.ts'
import { configError, type Problem } from './problems.ts'
import { brokenRules } from './rules.ts'
import { type Config, configSchema } from './schema.ts'
import { unsupported } from './support.ts'
import type { Given, Source } from './yaml-read.ts'

type Tree = { [name: string]: string | Tree }

/** Texts as the tree the schema decodes. */
function treeOf(texts: ReadonlyMap<string, Given>): Tree {
  const root: Tree = {}
  for (const { path, property } of CONFIG_KEYS) {
    const names = property.slice(0, -1)
    let tree = root
    for (const name of names) {
      const below = tree[name]
      const next: Tree = typeof below === 'object' ? below : {}
      tree[name] = next
      tree = next
    }
    const given = texts.get(path)
    const last = property.at(-1)
    if (given !== undefined && last !== undefined) tree[last] = given.text
  }
  return root
}

/** Keys whose text the schema refuses, each with what it expects. */
function wrongValues(texts: ReadonlyMap<string, Given>): ReadonlyMap<string, string> {
  const result = configSchema.safeParse(treeOf(texts))
  const wrong = new Map<string, string>()
  for (const issue of result.error?.issues ?? []) {
    const key = CONFIG_KEYS.find(({ property }) => property.join('.') === issue.path.join('.'))
    if (key !== undefined) wrong.set(key.path, issue.message)
  }
  return wrong
}

/**
 * The configuration that the given sources make, the later ones over the earlier. Throws `INVALID_CONFIG` that
 * tells every problem: those of the sources, wrong values, broken rules between keys, what is not supported.
 */
export function loadConfig(sources: readonly Source[]): Config {
  const texts = new Map(sources.flatMap(({ values }) => [...values]))
  const problems: Problem[] = sources.flatMap((source) => source.problems)
  const wrong = wrongValues(texts)
  for (const [path, expected] of wrong) {
    const { text = '', origin } = texts.get(path) ?? {}
    const shown = keyAt(path)?.secret === true ? 'this value' : JSON.stringify(text)
    problems.push({ key: path, origin, message: `${expected}, got ${shown}` })
  }
  const good = new Map([...texts].filter(([path]) => !wrong.has(path)))
  const config: Config = configSchema.parse(treeOf(good))
  const skip = new Set(wrong.keys())
  for (const problem of [...brokenRules(config, skip), ...unsupported(config)]) {
    problems.push({ ...problem, origin: texts.get(problem.key ?? '')?.origin })
  }
  if (problems.length > 0) throw configError(problems)
  return config
}

/** The configuration when nothing is given. */
export function defaultConfig(): Config {
  return configSchema.parse(treeOf(new Map()))
}
