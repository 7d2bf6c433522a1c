import { z } from 'zod'
import { choice, count, duration, type Section, text } from '../kinds.ts'

/** A key in AWS KMS. */
export interface AwsKmsConfig {
  readonly keyId: string
  readonly region: string
  readonly profile: string
  /** Milliseconds. */
  readonly timeout: number
  readonly maxRetries: number
}

/** A key in Google Cloud KMS. */
export interface GcpKmsConfig {
  readonly keyName: string
  readonly credentialsFile: string
  /** Milliseconds. */
  readonly timeout: number
  readonly maxRetries: number
}

/** A key in a cloud's key management. */
export interface KmsConfig {
  readonly provider: '' | 'aws' | 'gcp'
  readonly aws: AwsKmsConfig
  readonly gcp: GcpKmsConfig
}

/** Where the key lies that signs blocks. */
export interface SignerConfig {
  readonly signerType: 'file' | 'kms'
  /** Folder of `signer.json`. */
  readonly signerPath: string
  /** Empty: none. */
  readonly passphraseFile: string
  readonly kms: KmsConfig
}

const awsSection: Section<AwsKmsConfig> = z.strictObject({
  keyId: text('', 'ARN of the key in AWS KMS.'),
  region: text('', 'AWS region.'),
  profile: text('', 'AWS profile.'),
  timeout: duration('10s', 'Time for one signature by AWS KMS.'),
  maxRetries: count(3, 'Times a signature is asked again from AWS KMS.'),
})

const gcpSection: Section<GcpKmsConfig> = z.strictObject({
  keyName: text('', 'Resource name of the key version in Google Cloud KMS.'),
  credentialsFile: text('', "Google credentials file. Empty: the environment's own."),
  timeout: duration('10s', 'Time for one signature by Google Cloud KMS.'),
  maxRetries: count(3, 'Times a signature is asked again from Google Cloud KMS.'),
})

/** Schema of {@link SignerConfig}. */
export const signerSection: Section<SignerConfig> = z.strictObject({
  signerType: choice(['file', 'kms'], 'file', 'Where the signing key lies: file or kms.'),
  signerPath: text('config', 'Folder of signer.json. A relative one starts at the home directory.'),
  passphraseFile: text('', 'File with the passphrase of signer.json.', { noFile: true }),
  kms: z.strictObject({
    provider: choice(['', 'aws', 'gcp'], '', 'Cloud that keeps the key: aws or gcp.'),
    aws: awsSection,
    gcp: gcpSection,
  }),
})
