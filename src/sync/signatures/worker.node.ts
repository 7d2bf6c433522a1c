/*
 * Checks signatures in a thread of its own; see pool.node.ts. For each batch one byte a check: 1 where the
 * signature is good. Some odd ones that are good by the rule get 0 here: whoever asked decides about those.
 */
import { parentPort } from 'node:worker_threads'
import sodium from 'sodium-native'
import { packedChecks } from '../../util/signature-batch.ts'

parentPort?.on('message', ({ id, size, bytes }: { id: number; size: number; bytes: Uint8Array }) => {
  const results = new Uint8Array(size)
  let index = 0
  for (const { signature, message, publicKey } of packedChecks(bytes)) {
    results[index++] = sodium.crypto_sign_verify_detached(signature, message, publicKey) ? 1 : 0
  }
  parentPort?.postMessage({ id, results }, [results.buffer])
})
