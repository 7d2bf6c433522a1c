/*
 * Files of the home directory that commands and programs read.
 */
import { readPrivateFile, readTextFile } from '../../config/atomic-file.node.ts'
import type { HomePaths } from '../../config/home.ts'
import { type NodeKey, parseNodeKey } from '../../p2p/identity.ts'
import { type Genesis, parseGenesis } from '../../types/genesis.ts'
import { describeError, EvolveError, isEvolveError } from '../../util/errors.ts'

/** Runs `parse`; an error of its code then names the file. */
function naming<T>(path: string, code: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!isEvolveError(error, code)) throw error
    throw new EvolveError(code, `${path}: ${describeError(error)}`, { data: { ...error.data, path } })
  }
}

/** The genesis, or undefined when there is none. Rejects with `INVALID_GENESIS`, naming the file. */
export async function readGenesis({ genesisFile }: HomePaths): Promise<Genesis | undefined> {
  const text = await readTextFile(genesisFile)
  return text === undefined ? undefined : naming(genesisFile, 'INVALID_GENESIS', () => parseGenesis(text))
}

/**
 * The node key, or undefined when there is none. Rejects with `INVALID_NODE_KEY`, naming the file, and with
 * `FILE_NOT_PRIVATE`.
 */
export async function readNodeKey({ nodeKeyFile }: HomePaths): Promise<NodeKey | undefined> {
  const text = await readPrivateFile(nodeKeyFile)
  return text === undefined ? undefined : naming(nodeKeyFile, 'INVALID_NODE_KEY', () => parseNodeKey(text))
}
