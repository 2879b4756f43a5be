// Chromium's virtual authenticator, through the DevTools protocol. What it can
// and cannot do is in docs/testing.md.
import type { CDPSession, Page } from '@playwright/test';

// synced is a password manager on this device: its passkeys are backed up.
// device keeps its passkeys to itself, as does key, which plugs into USB.
export type Kind = 'synced' | 'device' | 'key';

export type Credential = { credentialId: string; isResidentCredential: boolean; rpId?: string; privateKey: string; userHandle?: string; signCount: number; backupEligibility?: boolean; backupState?: boolean; userName?: string; userDisplayName?: string };

export class Authenticator {
  private constructor(private readonly cdp: CDPSession, private readonly authenticatorId: string, readonly kind: Kind) {}

  // add plugs an authenticator into page. Do it before the page loads: a
  // conditional request without any authenticator fails at once.
  static async add(page: Page, kind: Kind): Promise<Authenticator> {
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('WebAuthn.enable', { enableUI: false });
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: kind === 'key' ? 'usb' : 'internal',
        hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
        defaultBackupEligibility: kind === 'synced', defaultBackupState: kind === 'synced',
      },
    });
    return new Authenticator(cdp, authenticatorId, kind);
  }

  async credentials(): Promise<Credential[]> {
    return (await this.cdp.send('WebAuthn.getCredentials', { authenticatorId: this.authenticatorId })).credentials;
  }

  // syncTo copies every passkey to another device, as a password manager does.
  async syncTo(other: Authenticator): Promise<void> {
    for (const credential of await this.credentials()) await other.insert(credential);
  }

  // insert puts a passkey in, whatever its history.
  async insert(credential: Credential): Promise<void> {
    await this.cdp.send('WebAuthn.addCredential', { authenticatorId: this.authenticatorId, credential });
  }

  async clear(): Promise<void> { await this.cdp.send('WebAuthn.clearCredentials', { authenticatorId: this.authenticatorId }); }

  // presence: true answers every request at once, false lets it wait.
  async presence(enabled: boolean): Promise<void> {
    await this.cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: this.authenticatorId, enabled });
  }

  // verifies: false makes the fingerprint, face or PIN fail.
  async verifies(isUserVerified: boolean): Promise<void> {
    await this.cdp.send('WebAuthn.setUserVerified', { authenticatorId: this.authenticatorId, isUserVerified });
  }

  // wrongSignature: true makes every assertion's signature wrong.
  async wrongSignature(isBogusSignature: boolean): Promise<void> {
    await this.cdp.send('WebAuthn.setResponseOverrideBits', { authenticatorId: this.authenticatorId, isBogusSignature });
  }

  async unplug(): Promise<void> { await this.cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: this.authenticatorId }); }
}
