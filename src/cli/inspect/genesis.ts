import { formatGenesis, parseGenesis } from '../../types/genesis.ts'
import { formatTimestamp } from '../../types/timestamp.ts'
import { toBase64, toHex } from '../../util/bytes.ts'
import { describeError, EvolveError, isEvolveError } from '../../util/errors.ts'
import type { Description } from './describe.ts'

/**
 * Describes the text of a `genesis.json`, as of the time `now` (unix nanoseconds). Throws `USAGE` that says which field is
 * wrong and what it may hold, or where the text stops being JSON.
 */
export function describeGenesis(text: string, now: bigint): Description {
  try {
    const genesis = parseGenesis(text)
    const { chainId, startTime, initialHeight, proposerAddress, daStartHeight, daEpochForcedInclusion } =
      genesis
    const known: unknown = JSON.parse(formatGenesis(genesis))
    const given: unknown = JSON.parse(text)
    const names = (value: unknown): string[] =>
      typeof value === 'object' && value !== null ? Object.keys(value) : []
    const unknown = names(given).filter((name) => !names(known).includes(name))
    return {
      fields: {
        chain_id: chainId,
        start_time: formatTimestamp(startTime),
        started: startTime <= now,
        initial_height: initialHeight,
        proposer_address: toHex(proposerAddress),
        da_start_height: daStartHeight,
        da_epoch_forced_inclusion: daEpochForcedInclusion,
        unknown_fields: unknown,
      },
      lines: [
        ['chain', JSON.stringify(chainId).slice(1, -1)],
        ['begins', `${formatTimestamp(startTime)}${startTime > now ? ' (not yet)' : ''}`],
        ['first height', String(initialHeight)],
        ['proposer', toHex(proposerAddress)],
        ['in the file', toBase64(proposerAddress)],
        ['DA from', daStartHeight === 0 ? 'not known' : `height ${daStartHeight}`],
        ['epoch', `${daEpochForcedInclusion} DA heights`],
        ...(unknown.length === 0 ? [] : [['passed over', unknown.join(', ')] as const]),
      ],
      problems: [],
    }
  } catch (error) {
    if (!isEvolveError(error, 'INVALID_GENESIS')) throw error
    throw new EvolveError('USAGE', describeError(error))
  }
}
