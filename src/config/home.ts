/*
 * The home directory of a node and what lies in it.
 */
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import type { Config } from './schema.ts'

/** Where the files of a node are. All paths are absolute. */
export interface HomePaths {
  readonly home: string
  /** Directory of the files below. */
  readonly configDirectory: string
  /** `config/evnode.yaml` */
  readonly configFile: string
  /** `config/genesis.json` */
  readonly genesisFile: string
  /** `config/node_key.json` */
  readonly nodeKeyFile: string
}

/** Home directory when neither `--home` nor `EVNODE_HOME` names one: not that of a Go program, whose databases differ. */
export const DEFAULT_HOME = '~/.evolve'

/** Absolute path of the home directory `given`: `~` at its beginning is the user's, relative ones start here. */
export function homeDirectory(given: string | undefined): string {
  const named = given === undefined || given === '' ? DEFAULT_HOME : given
  return resolve(named === '~' || named.startsWith('~/') ? join(homedir(), named.slice(1)) : named)
}

/** Where the files of a node with this home directory are. */
export function homePaths(home: string): HomePaths {
  const configDirectory = join(home, 'config')
  return {
    home,
    configDirectory,
    configFile: join(configDirectory, 'evnode.yaml'),
    genesisFile: join(configDirectory, 'genesis.json'),
    nodeKeyFile: join(configDirectory, 'node_key.json'),
  }
}

/** Directory of the database called `name`; those of different engines never share one. */
export function databaseDirectory(home: string, config: Config, name: string): string {
  return join(home, config.dbPath, name)
}

/** Path of `signer.json`. A relative `signer.signer_path` starts at the home directory. */
export function signerFile(home: string, config: Config): string {
  const named = config.signer.signerPath.replace(/signer\.json$/, '')
  return join(isAbsolute(named) ? named : join(home, named), 'signer.json')
}
