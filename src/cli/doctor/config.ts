/*
 * The home directory and its configuration. When the configuration is wrong, the rest of it is still good for looking
 * further.
 */
import { access, constants, stat } from 'node:fs/promises'
import { readTextFile } from '../../config/atomic-file.node.ts'
import { HOME_VARIABLE, readEnvironment } from '../../config/environment.ts'
import { homeDirectory, homePaths, type HomePaths } from '../../config/home.ts'
import { defaultConfig, loadConfig } from '../../config/load.ts'
import { describeProblem, type Problem } from '../../config/problems.ts'
import type { Config } from '../../config/schema.ts'
import { withoutEffect } from '../../config/support.ts'
import { readYaml, type Source } from '../../config/yaml-read.ts'
import { describeError, isEvolveError } from '../../util/errors.ts'
import { systemErrorCode } from '../../util/files.node.ts'
import { type Finding, findingsOf } from './finding.ts'

/** What a home directory is for further checks. */
export interface HomeFound {
  readonly paths: HomePaths
  /** What holds; where it was wrong, the defaults. */
  readonly config: Config
  readonly findings: readonly Finding[]
}

const { ok, warning, problem } = findingsOf('config')

function problemsIn(error: unknown): readonly Problem[] {
  const problems: unknown = isEvolveError(error, 'INVALID_CONFIG') ? error.data['problems'] : undefined
  if (!Array.isArray(problems)) throw error
  return problems.filter((one): one is Problem => typeof one === 'object' && one !== null && 'message' in one)
}

/** Sources without what is wrong in them. */
function without(sources: readonly Source[], keys: ReadonlySet<string | undefined>): Source[] {
  return sources.map(({ values }) => ({
    values: new Map([...values].filter(([key]) => !keys.has(key))),
    problems: [],
  }))
}

/** The configuration of these sources and what is wrong with it. */
function load(sources: readonly Source[]): {
  readonly config: Config
  readonly problems: readonly Problem[]
} {
  try {
    return { config: loadConfig(sources), problems: [] }
  } catch (error) {
    const problems = problemsIn(error)
    const better = without(sources, new Set(problems.map(({ key }) => key)))
    const rest = better.some(({ values }, index) => values.size < (sources[index]?.values.size ?? 0))
    // Without the keys that are wrong, others may break a rule that needs them.
    if (rest || sources.some((source) => source.problems.length > 0))
      return { config: load(better).config, problems }
    return { config: defaultConfig(), problems }
  }
}

/** Checks the home directory and the configuration. Rejects when the file cannot be read at all. */
export async function checkHome(
  given: string | undefined,
  variables: Readonly<Record<string, string | undefined>>,
  flags: Source,
): Promise<HomeFound> {
  const paths = homePaths(homeDirectory(given ?? variables[HOME_VARIABLE]))
  const findings: Finding[] = [await checkFolder(paths.home)]
  let text: string | undefined
  try {
    text = await readTextFile(paths.configFile)
  } catch (error) {
    findings.push(
      problem(
        describeError(error),
        `make it a readable text file, or remove it and run: evolve init --home ${paths.home}`,
      ),
    )
  }
  const { config, problems } = load([
    readYaml(text ?? '', paths.configFile),
    readEnvironment(variables),
    flags,
  ])
  for (const one of problems) {
    findings.push(
      problem(describeProblem(one), 'mend it where it stands, or remove it: the default holds then'),
    )
  }
  if (problems.length === 0 && text !== undefined) findings.push(ok(paths.configFile))
  if (text === undefined && findings.every(({ level }) => level !== 'problem')) {
    findings.push(
      warning(`there is no ${paths.configFile}: defaults hold`, `run: evolve init --home ${paths.home}`),
    )
  }
  for (const { key, message } of withoutEffect(config)) {
    findings.push(warning(`${key}: ${message}`, 'nothing has to be done if you know it'))
  }
  return { paths, config, findings }
}

async function checkFolder(home: string): Promise<Finding> {
  const folder = findingsOf('home')
  try {
    const { mode } = await stat(home)
    await access(home, constants.R_OK | constants.W_OK | constants.X_OK)
    if ((mode & 0o022) !== 0) return folder.warning(`others may write to ${home}`, `run: chmod go-w ${home}`)
    return folder.ok(home)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT')
      return folder.problem(
        `there is no ${home}`,
        `run: evolve init --home ${home}, or name another with --home`,
      )
    return folder.problem(
      `${home} cannot be used: ${describeError(error)}`,
      'run as the user that owns it, or change its owner',
    )
  }
}
