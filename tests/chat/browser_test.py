#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two browsers and somebody at a terminal in one chat: browser_test.py CHAT_SERVER [SCREENSHOTS].
Exits with 77 where there is no Chromium."""
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
from browser import Browser
from support import Person, Server

program = sys.argv[1]
pictures = sys.argv[2] if len(sys.argv) > 2 else None
chromium = shutil.which("chromium") or shutil.which("chromium-browser")
if not chromium:
    print("skipped: there is no chromium")
    sys.exit(77)


def picture(page, name):
    if pictures:
        os.makedirs(pictures, exist_ok=True)
        page.until("document.getAnimations().every(a => a.playState === 'finished')")
        page.screenshot(os.path.join(pictures, name + ".png"))


def enter(page, nick):
    page.run("document.querySelector('#nick').value = ''")
    page.type("#nick", nick)
    page.sees("online")
    page.until("document.querySelector('#where').innerText === 'lobby'")


folder = tempfile.TemporaryDirectory()
history = os.path.join(folder.name, "chat.db")
server = Server(program, history)
browser = Browser(chromium, os.path.join(folder.name, "profile"))
try:
    url = f"http://127.0.0.1:{server.web}/"
    terminal = Person(server.tcp, "nadia")
    terminal.say("I was here before you, at a terminal")
    terminal.hear("nadia: I was")

    ann = browser.page(url)
    picture(ann, "door")
    ann.type("#nick", "nadia")
    ann.sees("Nadia is taken; try another")
    enter(ann, "ann")
    ann.sees("I was here before you")  # history
    bob = browser.page(url, 390, 844)
    bob.size(390, 844, phone=True)
    bob.scheme("dark")
    enter(bob, "bob")
    terminal.hear("* bob has joined lobby")

    # all three talk
    ann.type("#text", "hello from a browser \u00fc \U0001f600")
    terminal.hear("ann: hello from a browser \u00fc \U0001f600")
    bob.sees("hello from a browser")
    terminal.say("hello from nc, see https://example.org/a?b=c.")
    ann.sees("hello from nc")
    bob.sees("hello from nc")
    bob.type("#text", "and I am on my phone")
    terminal.hear("bob: and I am on my phone")
    ann.sees("and I am on my phone")
    ann.until("document.querySelectorAll('.pending').length === 0")
    assert ann.run("document.querySelector('.what a').href") == "https://example.org/a?b=c"
    assert ann.run("[...document.querySelectorAll('#people .label')].map(x => x.innerText).join()") \
        == "ann,bob,nadia"
    picture(ann, "desktop")
    picture(bob, "phone")
    bob.click("#show-people")
    picture(bob, "phone_people")
    bob.click("#shade")

    # what others write is text, wherever it stands
    evil = "<img src=x onerror=\"window.hurt=1\"><script>window.hurt=1</script>"
    terminal.say(evil)
    ann.sees(evil)
    terminal.say("javascript:alert(1) https://a.b/\"onmouseover=\"window.hurt=1")
    mallory = Person(server.tcp, "<b>mal</b>")
    mallory.say("/join <i>x</i>")
    mallory.hear("you are in <i>x</i>")
    mallory.say("/msg ann <svg/onload=window.hurt=1>")
    ann.sees("<b>mal</b>")
    ann.until("[...document.querySelectorAll('#rooms .label')].some(x => x.innerText === '# <i>x</i>')")
    for page in (ann, bob):
        assert page.run("window.hurt === undefined")
        assert page.run("document.querySelectorAll('#chat script, #log img, #log svg, #rooms i').length") == 0
    mallory.socket.close()

    # in private
    ann.run("[...document.querySelectorAll('#people button')].find(b => b.innerText.includes('nadia')).click()")
    ann.sees("Only nadia and you can see this")
    ann.type("#text", "a secret")
    terminal.hear("ann to nadia, in private: a secret")
    terminal.say("/msg ann I will keep it")
    ann.sees("I will keep it")
    picture(ann, "private")
    assert "a secret" not in bob.run("document.body.innerText")

    # rooms
    ann.type("#join-name", "garden")
    ann.until("document.querySelector('#where').innerText === 'garden'")
    ann.sees("Nothing has been said here yet")
    terminal.hear("* ann has left lobby")
    ann.type("#text", "it is quiet here")
    ann.until("document.querySelectorAll('.pending').length === 0")

    # the room crashes, and nobody has to do anything
    bob.type("#text", "crash!")
    bob.sees("the room has crashed on it")
    bob.type("#text", "still here")
    terminal.hear("bob: still here")

    # the server is killed; the page comes back by itself, with its room and what was said
    server.kill()
    ann.sees("Connection lost")
    picture(ann, "offline")
    server = Server(program, history, server.web)
    ann.sees("online")
    ann.until("document.querySelector('#where').innerText === 'garden'")
    ann.sees("it is quiet here")
    bob.sees("still here")
    ann.type("#text", "and back")
    ann.until("document.querySelectorAll('.pending').length === 0")
    assert ann.run("document.body.innerText").count("it is quiet here") == 1
    ann.run("[...document.querySelectorAll('#rooms button')].find(b => b.innerText.includes('lobby')).click()")
    ann.sees("still here")
    ann.click("#theme")
    picture(ann, "desktop_dark")

    # too long is said before it is sent
    ann.type("#text", "\u00fc" * 600, enter=False)
    ann.sees("Too long: 1200 of 1000 bytes")
    ann.click("#leave")
    ann.sees("Come in")
    for page in (ann, bob):
        bad = [c for c in page.complaints() if "ERR_CONNECTION" not in c and "WebSocket" not in c]
        assert not bad, bad
    print("two browsers and a terminal have talked")
finally:
    browser.close()
    server.process.kill()
    server.process.wait()
