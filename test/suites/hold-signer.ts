/*
 * A process that signs: `hold-signer.ts PATH ADDRESS COUNT` opens the ledger and reserves COUNT heights above the last,
 * telling each on standard output once it is reserved; then it stays until it is killed or its input ends. COUNT 0:
 * it says `held`; COUNT -1: it ends by itself, as a process that forgot to stop.
 */
import { createFileLedger } from '../../src/signer/ledger.node.ts'
import { fromHex } from '../../src/util/bytes.ts'

const [path = '', address = '', count = '0'] = process.argv.slice(2)
const ledger = createFileLedger({ path, keyFingerprint: fromHex(address) ?? new Uint8Array(0) })
await ledger.start()
const first = (ledger.last?.height ?? 0) + 1
for (let height = first; height < first + Number(count); height++) {
  await ledger.reserve(height, new Uint8Array(32).fill(height % 251))
  process.stdout.write(`${height}\n`)
}
process.stdout.write('held\n')
if (count !== '-1') process.stdin.resume()
