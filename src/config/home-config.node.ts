/*
 * The configuration of a home directory, as file, environment and flags make it.
 */
import { readTextFile } from './atomic-file.node.ts'
import { HOME_VARIABLE, readEnvironment } from './environment.ts'
import { homeDirectory, type HomePaths, homePaths } from './home.ts'
import { loadConfig } from './load.ts'
import type { Config } from './schema.ts'
import { readYaml, type Source } from './yaml-read.ts'

/** What a process was started with. */
export interface Invocation {
  /** `--home`, undefined when it was not given. */
  readonly home: string | undefined
  readonly variables: Readonly<Record<string, string | undefined>>
  /** Keys given as flags. */
  readonly flags: Source
  /** What holds for keys that nothing else names, over the defaults. */
  readonly fallback?: Source
}

/** A home directory and its configuration. */
export interface HomeConfig {
  readonly config: Config
  readonly paths: HomePaths
  /** Text of the file; undefined when there is none yet. */
  readonly fileText: string | undefined
}

/**
 * Reads the configuration that holds for an invocation. Rejects with `INVALID_CONFIG` when anything is wrong with
 * it, and with `FILE_FAILED` when the file cannot be read.
 */
export async function readHomeConfig({ home, variables, flags, fallback }: Invocation): Promise<HomeConfig> {
  const paths = homePaths(homeDirectory(home ?? variables[HOME_VARIABLE]))
  const fileText = await readTextFile(paths.configFile)
  const file = readYaml(fileText ?? '', paths.configFile)
  return {
    config: loadConfig([
      ...(fallback === undefined ? [] : [fallback]),
      file,
      readEnvironment(variables),
      flags,
    ]),
    paths,
    fileText,
  }
}
