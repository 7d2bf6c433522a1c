import type { Command } from 'commander'
import { readHomeConfig } from '../../config/home-config.node.ts'
import { keyAt } from '../../config/keys.ts'
import type { Source } from '../../config/yaml-read.ts'
import { DEFAULT_CHAIN_ID, newNamespace, prepareHome } from '../../node/home/prepare.ts'
import { peerIdOf } from '../../p2p/identity.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import type { CliContext } from '../context.ts'
import { addConfigOptions, givenOptions } from '../options.ts'

const EXAMPLES = `
Examples:
  evolve init --home ~/my-chain
      a follower: then copy the chain's genesis.json to ~/my-chain/config/
  evolve init --home ~/my-chain --evnode.p2p.peers /ip4/203.0.113.7/tcp/7676/p2p/12D3KooW...
      the same, with a peer to sync from
  evolve init --home ~/seq --evnode.node.aggregator --evnode.signer.passphrase_file pass.txt --chain-id my-chain
      the aggregator of a new chain: makes its key and its genesis
  evolve init --home ~/my-chain --json | jq -r .peer_id

What is there already is kept: keys and genesis are never replaced, and of an existing evnode.yaml only the
given keys change.

Exit codes: 0 prepared, 1 a file cannot be written, 2 something given, or something that is there, is wrong.`

interface InitOptions {
  readonly home?: string
  readonly chainId?: string
  readonly chain_id?: string
  readonly json?: true
}

/** Adds `evolve init`. */
export function addInit(program: Command, context: CliContext): void {
  const command = program
    .command('init')
    .description('prepare a home directory: configuration, keys and, for an aggregator, genesis')
    .option('--chain-id <id>', `chain id of a new genesis (default: ${DEFAULT_CHAIN_ID})`)
    .option('--chain_id <id>', 'the same, as the Go programs spell it')
    .option('--json', 'tell what was made as JSON')
  addConfigOptions(command)
  command.addHelpText('after', EXAMPLES)
  command.action(async (_options: unknown, self: Command) => {
    const { home, chainId, chain_id: goChainId, json } = self.optsWithGlobals<InitOptions>()
    await init(context, {
      home,
      chainId: chainId ?? goChainId,
      flags: givenOptions(self),
      json: json === true,
    })
  })
}

async function init(
  context: CliContext,
  {
    home,
    chainId,
    flags,
    json,
  }: {
    readonly home: string | undefined
    readonly chainId: string | undefined
    readonly flags: Source
    readonly json: boolean
  },
): Promise<void> {
  const invocation = { home, variables: context.variables, flags }
  const fallback = newNamespace(chainId ?? DEFAULT_CHAIN_ID, 'evolve init')
  const read = await readHomeConfig(
    makesChain(flags, context.variables) ? { ...invocation, fallback } : invocation,
  )
  const { paths, config } = read
  const { namespace } = config.da
  const { signer, nodeKey, genesis, ...made } = await prepareHome(
    { env: context.env },
    { read, given: flags, chainId },
  )
  const told = [
    `home      ${paths.home}`,
    `config    ${paths.configFile} (${made.config})`,
    `peer id   ${peerIdOf(nodeKey.key)} (${nodeKey.state})`,
    ...(signer === undefined ? [] : [`signer    ${signer.file} (${signer.state})`]),
    ...(signer === undefined || namespace === '' ? [] : [`DA        namespace ${namespace}`]),
    genesis === undefined
      ? `genesis   none yet: copy the chain's genesis.json to ${paths.genesisFile}`
      : `genesis   ${paths.genesisFile}, chain ${genesis.genesis.chainId} (${genesis.state})`,
  ]
  const fields = {
    home: paths.home,
    config: { file: paths.configFile, state: made.config },
    peer_id: peerIdOf(nodeKey.key),
    signer:
      signer === undefined
        ? null
        : { file: signer.file, state: signer.state, address: toHex(signer.address) },
    da_namespace: namespace === '' ? null : namespace,
    genesis:
      genesis === undefined
        ? null
        : { file: paths.genesisFile, state: genesis.state, chain_id: genesis.genesis.chainId },
  }
  context.print(json ? JSON.stringify(fields) : told.join('\n'))
  if (genesis?.state !== 'kept' || signer === undefined) return
  if (!equalBytes(genesis.genesis.proposerAddress, signer.address)) {
    context.terminal.write('warning: the genesis names another proposer than this signer\n')
  }
}

/** Whether this call, not only the file, asks for an aggregator. */
function makesChain(flags: Source, variables: CliContext['variables']): boolean {
  const key = keyAt('node.aggregator')
  const text = flags.values.get('node.aggregator')?.text ?? variables[key?.env ?? '']
  return /^(?:1|t|true)$/i.test(text ?? '')
}
