/*
 * Starts two hosts with everything on, connects and stops them. Run by a test, which waits for this process to end
 * by itself.
 */
import { gossipTopic } from '../../src/types/names.ts'
import { addressOf, testHosts, untilPeer } from './hosts.ts'

const hosts = testHosts('ends')
const a = await hosts.start({ discovery: true })
const b = await hosts.start({ discovery: true, peers: [addressOf(a)] })
const topic = await b.join(gossipTopic('ends', 'headerSync'), async () => 'accept')
const limits = { maxRequestBytes: 1024, readTimeout: 5_000, writeTimeout: 8_000, maxStreamsPerPeer: 64 }
await a.serve('/ends/1', limits, async function* (request) {
  yield request
})
await untilPeer(b, a.id)
await b.request(a.id, '/ends/1', Uint8Array.of(1), { signal: new AbortController().signal, onData() {} })
await topic.publish(Uint8Array.of(1))
await hosts.stop()
process.stdout.write('stopped\n')
