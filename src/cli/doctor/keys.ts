/*
 * Genesis, node key, and the key that signs blocks with its ledger.
 */
import { stat } from 'node:fs/promises'
import { readGenesis, readNodeKey } from '../../node/home/files.ts'
import {
  namingSignerFile,
  openSigningKey,
  requireSignerFile,
  signerPaths,
} from '../../node/home/signer-files.ts'
import { type NodeKey, peerIdOf } from '../../p2p/identity.ts'
import { publicKeyInSignerFile } from '../../signer/file.node.ts'
import { readLedgerFile } from '../../signer/ledger-file.node.ts'
import type { Genesis } from '../../types/genesis.ts'
import { proposerAddressOf } from '../../types/signer.ts'
import { formatTimestamp } from '../../types/timestamp.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { describeError } from '../../util/errors.ts'
import type { HomeFound } from './config.ts'
import { type Finding, findingsOf } from './finding.ts'

/** Reads the genesis and says whether it is good; `now` in unix nanoseconds. */
export async function checkGenesis(
  { paths }: HomeFound,
  now: bigint,
): Promise<{ readonly genesis: Genesis | undefined; readonly finding: Finding }> {
  const { ok, warning, problem } = findingsOf('genesis')
  const source = 'from whoever runs the chain'
  try {
    const genesis = await readGenesis(paths)
    if (genesis === undefined) {
      return {
        genesis,
        finding: problem(
          `there is no ${paths.genesisFile}`,
          `copy the chain's genesis.json there, ${source}`,
        ),
      }
    }
    const { chainId, startTime, initialHeight } = genesis
    const begins = formatTimestamp(startTime)
    return startTime > now
      ? {
          genesis,
          finding: warning(`chain ${chainId} begins at ${begins}`, 'wait until then: the node does'),
        }
      : { genesis, finding: ok(`chain ${chainId}, from height ${initialHeight}, since ${begins}`) }
  } catch (error) {
    return { genesis: undefined, finding: problem(describeError(error), `copy it anew, ${source}`) }
  }
}

/** Reads the node key and says whether it is good. */
export async function checkNodeKey({
  paths,
}: HomeFound): Promise<{ readonly nodeKey: NodeKey | undefined; readonly finding: Finding }> {
  const { ok, problem } = findingsOf('node key')
  try {
    const nodeKey = await readNodeKey(paths)
    return nodeKey === undefined
      ? {
          nodeKey,
          finding: problem(`there is no ${paths.nodeKeyFile}`, `run: evolve init --home ${paths.home}`),
        }
      : { nodeKey, finding: ok(`peer id ${peerIdOf(nodeKey)}`) }
  } catch (error) {
    return {
      nodeKey: undefined,
      finding: problem(
        describeError(error),
        'mend what is said; a key that is lost is made anew by evolve init, then peers must learn the new id',
      ),
    }
  }
}

/** Checks the signing key of an aggregator, and one that lies in the home of a follower. */
export async function checkSigner(found: HomeFound, genesis: Genesis | undefined): Promise<Finding[]> {
  const { ok, warning, problem } = findingsOf('signer')
  const { config } = found
  const read = { ...found, fileText: undefined }
  const paths = signerPaths(read)
  const aggregator = config.node.aggregator
  if (!aggregator && !(await exists(paths.file))) return []
  let address: Uint8Array
  const findings: Finding[] = []
  try {
    const text = await requireSignerFile(read)
    const publicKey = await namingSignerFile(paths.file, () => publicKeyInSignerFile(text.trim()))
    address = proposerAddressOf(publicKey)
  } catch (error) {
    return [problem(describeError(error), 'mend what is said, or bring the key with: evolve keys import')]
  }
  if (config.signer.passphraseFile === '') {
    if (aggregator)
      findings.push(
        warning(
          `key ${toHex(address)}; whether a passphrase opens it was not tried`,
          'give --evnode.signer.passphrase_file FILE to try it; the node needs it to start',
        ),
      )
    else findings.push(ok(`key ${toHex(address)}, not used: this node makes no blocks`))
  } else {
    try {
      await openSigningKey(read)
      findings.push(ok(`key ${toHex(address)} opens`))
      const { mode } = await stat(config.signer.passphraseFile)
      if ((mode & 0o077) !== 0) {
        findings.push(
          warning(
            `others may read the passphrase in ${config.signer.passphraseFile}`,
            `run: chmod 600 ${config.signer.passphraseFile}`,
          ),
        )
      }
    } catch (error) {
      findings.push(problem(describeError(error), 'give the file with the right passphrase'))
    }
  }
  if (genesis !== undefined && aggregator && !equalBytes(genesis.proposerAddress, address)) {
    findings.push(
      problem(
        `genesis names the proposer ${toHex(genesis.proposerAddress)}, not this key`,
        'bring the right key with evolve keys import, or set node.aggregator to false',
      ),
    )
  }
  return [...findings, ...(await checkLedger(paths.ledger, address, aggregator))]
}

async function checkLedger(path: string, address: Uint8Array, aggregator: boolean): Promise<Finding[]> {
  const { ok, warning, problem } = findingsOf('ledger')
  try {
    const ledger = await readLedgerFile(path)
    if (ledger === undefined) {
      return aggregator
        ? [
            warning(
              `there is no ${path}`,
              'right for a key that never signed; if it has signed elsewhere, stop that node and copy its signer.ledger here',
            ),
          ]
        : []
    }
    if (!equalBytes(ledger.address, address)) {
      return [
        problem(
          `${path} is that of another key, ${toHex(ledger.address)}`,
          "put the key's own ledger there; never start without it if the key has signed blocks",
        ),
      ]
    }
    const { mode } = await stat(path)
    if ((mode & 0o022) !== 0) return [warning(`others may write to ${path}`, `run: chmod 600 ${path}`)]
    return [ok(ledger.last === undefined ? 'nothing signed yet' : `last signed height ${ledger.last.height}`)]
  } catch (error) {
    return [
      problem(
        describeError(error),
        'copy it from a backup that is not older than the last block this key signed; do not remove it',
      ),
    ]
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
