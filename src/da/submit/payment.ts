import type { DaSubmitOptions } from '../../core/da.ts'

/** celestia-node's name of the account that pays. */
const SIGNER_ADDRESS = 'signer_address'

/**
 * Gives the submit options of each submission: the configured ones, paid for by the accounts in turn. Without
 * accounts the DA node's own one pays, or the one that the options name.
 */
export function createPayment(options: DaSubmitOptions, accounts: readonly string[]): () => DaSubmitOptions {
  let turn = 0
  return () => {
    const account = accounts[turn]
    turn = (turn + 1) % Math.max(1, accounts.length)
    return account === undefined ? options : { ...options, [SIGNER_ADDRESS]: account }
  }
}
