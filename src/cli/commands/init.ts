import { dirname } from 'node:path'
import type { Command } from 'commander'
import { makeDirectory, writeFileAtomic } from '../../config/atomic-file.node.ts'
import { type HomeConfig, readHomeConfig } from '../../config/home-config.node.ts'
import { type HomePaths, signerFile } from '../../config/home.ts'
import { keyAt } from '../../config/keys.ts'
import { readYaml, type Source } from '../../config/yaml-read.ts'
import { changeConfig, configTexts, formatConfig } from '../../config/yaml-write.ts'
import type { Env } from '../../core/env.ts'
import { formatNodeKey, generateNodeKey, type NodeKey, peerIdOf } from '../../p2p/identity.ts'
import { formatGenesis, type Genesis } from '../../types/genesis.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import type { CliContext } from '../context.ts'
import { readGenesis, readNodeKey } from '../files.ts'
import { addConfigOptions, givenOptions } from '../options.ts'
import { prepareSigner } from '../signer-files.ts'

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
    await init(context, { home, chainId: chainId ?? goChainId, flags: givenOptions(self) })
  })
}

async function init(
  context: CliContext,
  {
    home,
    chainId,
    flags,
  }: { readonly home: string | undefined; readonly chainId: string | undefined; readonly flags: Source },
): Promise<void> {
  const invocation = { home, variables: context.variables, flags }
  const fallback = newNamespace(chainId ?? DEFAULT_CHAIN_ID)
  const read = await readHomeConfig(
    makesChain(flags, context.variables) ? { ...invocation, fallback } : invocation,
  )
  const { paths, config } = read
  const { namespace } = config.da

  // All that is there is read and judged before anything is written.
  const genesis = await readGenesis(paths)
  if (genesis !== undefined && chainId !== undefined && chainId !== genesis.chainId) {
    throw new EvolveError('USAGE', `${paths.genesisFile} is that of chain ${genesis.chainId}, not ${chainId}`)
  }
  const nodeKey = await readNodeKey(paths)
  const signer = config.node.aggregator ? await prepareSigner(read) : undefined

  await makeDirectory(paths.configDirectory)
  const told = [
    `home      ${paths.home}`,
    await writeConfig(read, flags),
    await writeNodeKey(paths, nodeKey),
    ...(signer === undefined ? [] : [`signer    ${await signer.write()}`]),
    ...(signer === undefined || namespace === '' ? [] : [`DA        namespace ${namespace}`]),
    await writeGenesis(paths, genesis, { chainId, proposerAddress: signer?.address, env: context.env }),
  ]
  context.print(told.join('\n'))
  if (genesis !== undefined && signer !== undefined && !equalBytes(genesis.proposerAddress, signer.address)) {
    context.terminal.write('warning: the genesis names another proposer than this signer\n')
  }
}

/** Whether this call, not only the file, asks for an aggregator. */
function makesChain(flags: Source, variables: CliContext['variables']): boolean {
  const key = keyAt('node.aggregator')
  const text = flags.values.get('node.aggregator')?.text ?? variables[key?.env ?? '']
  return /^(?:1|t|true)$/i.test(text ?? '')
}

/** A DA namespace that no other chain is likely to have: the aggregator chooses, its followers are told. */
function newNamespace(chainId: string): Source {
  const text = `${chainId}-${toHex(crypto.getRandomValues(new Uint8Array(5)))}`
  return { values: new Map([['da.namespace', { text, origin: 'evolve init' }]]), problems: [] }
}

function state(made: boolean, changed: boolean): string {
  return made ? ' (new)' : changed ? ' (changed)' : ' (kept)'
}

/** Writes a new file, or puts what was given into the one that is there. */
async function writeConfig({ config, paths, fileText }: HomeConfig, flags: Source): Promise<string> {
  const { signer, node } = config
  // The Go programs start a relative path at the working directory.
  const signerPath = node.aggregator ? dirname(signerFile(paths.home, config)) : signer.signerPath
  const written = { ...config, signer: { ...signer, signerPath } }
  const texts = configTexts(written)
  const before = readYaml(fileText ?? '', paths.configFile).values
  const given = [...flags.values.keys(), ...(node.aggregator ? ['signer.signer_path', 'da.namespace'] : [])]
  const changes = new Map(
    given
      .filter((path) => keyAt(path)?.noFile !== true && before.get(path)?.text !== texts.get(path))
      .map((path) => [path, texts.get(path) ?? '']),
  )
  const text = fileText === undefined ? formatConfig(written) : changeConfig(fileText, changes)
  if (text !== fileText) await writeFileAtomic(paths.configFile, text)
  return `config    ${paths.configFile}${state(fileText === undefined, text !== fileText)}`
}

async function writeNodeKey(paths: HomePaths, existing: NodeKey | undefined): Promise<string> {
  const key = existing ?? generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length)))
  if (existing === undefined)
    await writeFileAtomic(paths.nodeKeyFile, formatNodeKey(key), { exclusive: true })
  return `peer id   ${peerIdOf(key)}${state(existing === undefined, false)}`
}

async function writeGenesis(
  { genesisFile }: HomePaths,
  existing: Genesis | undefined,
  {
    chainId = DEFAULT_CHAIN_ID,
    proposerAddress,
    env,
  }: {
    readonly chainId: string | undefined
    readonly proposerAddress: Uint8Array | undefined
    readonly env: Env
  },
): Promise<string> {
  if (existing !== undefined) return `genesis   ${genesisFile}, chain ${existing.chainId} (kept)`
  if (proposerAddress === undefined) {
    return `genesis   none yet: copy the chain's genesis.json to ${genesisFile}`
  }
  const genesis: Genesis = {
    chainId,
    startTime: env.now(),
    initialHeight: 1,
    proposerAddress,
    daStartHeight: 0,
    daEpochForcedInclusion: DEFAULT_EPOCH,
  }
  await writeFileAtomic(genesisFile, formatGenesis(genesis), { exclusive: true })
  return `genesis   ${genesisFile}, chain ${chainId} (new)`
}
