import { dirname } from 'node:path'
import type { Command } from 'commander'
import {
  makeDirectory,
  readPrivateFile,
  readTextFile,
  writeFileAtomic,
} from '../../config/atomic-file.node.ts'
import { type HomeConfig, readHomeConfig } from '../../config/home-config.node.ts'
import { signerFile } from '../../config/home.ts'
import { keyAt } from '../../config/keys.ts'
import type { Source } from '../../config/yaml-read.ts'
import { changeConfig, formatConfig } from '../../config/yaml-write.ts'
import type { Env } from '../../core/env.ts'
import { formatNodeKey, generateNodeKey, peerIdOf } from '../../p2p/identity.ts'
import { createSignerFile, openSignerFile } from '../../signer/file.node.ts'
import { formatGenesis } from '../../types/genesis.ts'
import { toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import type { CliContext } from '../context.ts'
import { readGenesis, readNodeKey } from '../files.ts'
import { addConfigOptions, givenOptions } from '../options.ts'

/** Chain id of a new genesis when none is given. */
const DEFAULT_CHAIN_ID = 'ev-test'
/** Length of a forced-inclusion epoch in DA heights, as the Go programs write it. */
const DEFAULT_EPOCH = 50

const EXAMPLES = `
Examples:
  evolve init --home ~/my-chain
      a follower: then copy the chain's genesis.json to ~/my-chain/config/
  evolve init --home ~/my-chain --evnode.p2p.peers /ip4/203.0.113.7/tcp/7676/p2p/12D3KooW...
      the same, with a peer to sync from
  evolve init --home ~/seq --evnode.node.aggregator --evnode.signer.passphrase_file pass.txt --chain-id my-chain
      the aggregator of a new chain: makes its key and its genesis

What is there already is kept: keys and genesis are never replaced, and of an existing evnode.yaml only the
given keys change.`

interface InitOptions {
  readonly home?: string
  readonly chainId?: string
  readonly chain_id?: string
}

/** Adds `evolve init`. */
export function addInit(program: Command, context: CliContext): void {
  const command = program
    .command('init')
    .description('prepare a home directory: configuration, keys and, for an aggregator, genesis')
    .option('--chain-id <id>', `chain id of a new genesis (default: ${DEFAULT_CHAIN_ID})`)
    .option('--chain_id <id>', 'the same, as the Go programs spell it')
  addConfigOptions(command)
  command.addHelpText('after', EXAMPLES)
  command.action(async (_options: unknown, self: Command) => {
    const { home, chainId, chain_id: goChainId } = self.optsWithGlobals<InitOptions>()
    const flags = givenOptions(self)
    const chosen = chainId ?? goChainId ?? DEFAULT_CHAIN_ID
    const invocation = { home, variables: context.variables, flags }
    const makesChain = flags.values.get('node.aggregator')?.text === 'true'
    const read = await readHomeConfig(
      makesChain ? { ...invocation, fallback: newNamespace(chosen) } : invocation,
    )
    await makeDirectory(read.paths.configDirectory)
    const told: string[] = [`home      ${read.paths.home}`]

    const changes = new Map(
      [...flags.values]
        .filter(([path]) => keyAt(path)?.noFile !== true)
        .map(([path, { text }]) => [path, text]),
    )
    const before = read.fileText
    const text = before === undefined ? formatConfig(read.config) : changeConfig(before, changes)
    if (text !== before) await writeFileAtomic(read.paths.configFile, text)
    told.push(`config    ${read.paths.configFile}${state(before === undefined, text !== before)}`)

    told.push(await initNodeKey(read))
    if (read.config.node.aggregator) {
      const { line, address } = await initSigner(read)
      told.push(line, await initGenesis(read, address, chosen, context.env))
    } else {
      told.push(await checkGenesis(read))
    }
    context.print(told.join('\n'))
  })
}

/** A DA namespace that no other chain is likely to have: the aggregator chooses, its followers are told. */
function newNamespace(chainId: string): Source {
  const text = `${chainId}-${toHex(crypto.getRandomValues(new Uint8Array(5)))}`
  return { values: new Map([['da.namespace', { text, origin: 'evolve init' }]]), problems: [] }
}

function state(made: boolean, changed: boolean): string {
  return made ? ' (new)' : changed ? ' (changed)' : ' (kept)'
}

async function initNodeKey({ paths }: HomeConfig): Promise<string> {
  const existing = await readNodeKey(paths)
  const key = existing ?? generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length)))
  if (existing === undefined)
    await writeFileAtomic(paths.nodeKeyFile, formatNodeKey(key), { exclusive: true })
  return `peer id   ${peerIdOf(key)}${state(existing === undefined, false)}`
}

async function readPassphrase({ config }: HomeConfig): Promise<string> {
  const path = config.signer.passphraseFile
  if (path === '') {
    throw new EvolveError(
      'USAGE',
      'the key of an aggregator is encrypted: give --evnode.signer.passphrase_file FILE, whose content is the passphrase',
    )
  }
  const text = await readTextFile(path)
  if (text === undefined) throw new EvolveError('USAGE', `signer.passphrase_file: there is no file ${path}`)
  const passphrase = text.trim()
  if (passphrase === '') throw new EvolveError('USAGE', `signer.passphrase_file: ${path} is empty`)
  return passphrase
}

async function initSigner(
  read: HomeConfig,
): Promise<{ readonly line: string; readonly address: Uint8Array }> {
  const path = signerFile(read.paths.home, read.config)
  const passphrase = await readPassphrase(read)
  const existing = await readPrivateFile(path)
  if (existing !== undefined) {
    const { address } = await openSignerFile(existing, passphrase)
    return { line: `signer    ${path} (kept)`, address }
  }
  const { text, key } = await createSignerFile(passphrase)
  await makeDirectory(dirname(path))
  await writeFileAtomic(path, text, { exclusive: true })
  return { line: `signer    ${path} (new)`, address: key.address }
}

async function initGenesis(
  { paths }: HomeConfig,
  proposerAddress: Uint8Array,
  chainId: string,
  env: Env,
): Promise<string> {
  const existing = await readGenesis(paths)
  if (existing !== undefined) return `genesis   ${paths.genesisFile}, chain ${existing.chainId} (kept)`
  const genesis = {
    chainId,
    startTime: env.now(),
    initialHeight: 1,
    proposerAddress,
    daStartHeight: 0,
    daEpochForcedInclusion: DEFAULT_EPOCH,
  }
  await writeFileAtomic(paths.genesisFile, formatGenesis(genesis), { exclusive: true })
  return `genesis   ${paths.genesisFile}, chain ${chainId} (new)`
}

async function checkGenesis({ paths }: HomeConfig): Promise<string> {
  const existing = await readGenesis(paths)
  if (existing !== undefined) return `genesis   ${paths.genesisFile}, chain ${existing.chainId} (kept)`
  return `genesis   none yet: copy the chain's genesis.json to ${paths.genesisFile}`
}
